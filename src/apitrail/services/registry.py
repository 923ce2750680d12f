"""The services that are served. To add one: a package shaped like `sts/`, and a line here."""

from apitrail.services import cloudtrail, gamelift, iam, organizations, s3, sns, sqs, sts
from apitrail.services.operation import Service

SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        gamelift.SERVICE,
        cloudtrail.SERVICE,
        iam.SERVICE,
        sts.SERVICE,
        s3.SERVICE,
        sqs.SERVICE,
        sns.SERVICE,
        organizations.SERVICE,
    )
}
