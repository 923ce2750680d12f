"""The product's server with one difference: a call's change is committed without its event.

What that saves is what recording costs. It is a measurement's counterpart and no way to run the product, so it lives here:
the performer of the app is replaced before the app is made. Run as `python -m bench.unrecorded serve ...`.
"""

from apitrail import app
from apitrail.cli.main import main
from apitrail.gateway.perform import Outcome, Performer
from apitrail.identity.principal import Principal
from apitrail.services.context import Context
from apitrail.services.operation import Service
from apitrail.wire.call import Call


class Forgetful(Performer):
    """Performs calls and builds no event."""

    def _record(self, ctx: Context, service: Service, call: Call, principal: Principal, outcome: Outcome) -> None:
        """Leave the journal alone."""


if __name__ == "__main__":
    vars(app)["Performer"] = Forgetful
    main()
