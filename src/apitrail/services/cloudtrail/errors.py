"""The errors of the CloudTrail API, one class per exception of its model that is raised here."""

from apitrail.errors import ServiceError


class TrailNotFoundException(ServiceError):
    """There is no such trail."""

    code = "TrailNotFoundException"


class InvalidTrailNameException(ServiceError):
    """A trail name breaks the rules."""

    code = "InvalidTrailNameException"


class CloudTrailARNInvalidException(ServiceError):
    """An ARN is not one of a trail."""

    code = "CloudTrailARNInvalidException"


class InvalidHomeRegionException(ServiceError):
    """A trail can be changed in its home region only."""

    code = "InvalidHomeRegionException"


class TrailAlreadyExistsException(ServiceError):
    """A trail of this name exists."""

    code = "TrailAlreadyExistsException"


class MaximumNumberOfTrailsExceededException(ServiceError):
    """The region has as many trails as it may."""

    code = "MaximumNumberOfTrailsExceededException"


class S3BucketDoesNotExistException(ServiceError):
    """The bucket does not exist."""

    code = "S3BucketDoesNotExistException"


class InsufficientS3BucketPolicyException(ServiceError):
    """The bucket does not let log files in."""

    code = "InsufficientS3BucketPolicyException"


class InvalidS3BucketNameException(ServiceError):
    """A bucket name breaks the rules."""

    code = "InvalidS3BucketNameException"


class InvalidS3PrefixException(ServiceError):
    """A key prefix breaks the rules."""

    code = "InvalidS3PrefixException"


class InvalidSnsTopicNameException(ServiceError):
    """A topic name breaks the rules."""

    code = "InvalidSnsTopicNameException"


class InsufficientEncryptionPolicyException(ServiceError):
    """The store does not take files that are to be encrypted with the key."""

    code = "InsufficientEncryptionPolicyException"


class InvalidKmsKeyIdException(ServiceError):
    """The name of a key has not the form of one."""

    code = "InvalidKmsKeyIdException"


class KmsKeyNotFoundException(ServiceError):
    """There is no such key."""

    code = "KmsKeyNotFoundException"


class KmsException(ServiceError):
    """The key cannot be used, or KMS did not tell."""

    code = "KmsException"


class InsufficientSnsTopicPolicyException(ServiceError):
    """The topic does not exist, or does not let notifications in."""

    code = "InsufficientSnsTopicPolicyException"


class InvalidParameterCombinationException(ServiceError):
    """Parameters contradict each other."""

    code = "InvalidParameterCombinationException"


class CloudWatchLogsDeliveryUnavailableException(ServiceError):
    """No delivery to CloudWatch Logs here."""

    code = "CloudWatchLogsDeliveryUnavailableException"


class InvalidCloudWatchLogsLogGroupArnException(ServiceError):
    """A log group's ARN is wrong, or missing beside a role."""

    code = "InvalidCloudWatchLogsLogGroupArnException"


class InvalidCloudWatchLogsRoleArnException(ServiceError):
    """A role's ARN is wrong, or missing beside a log group."""

    code = "InvalidCloudWatchLogsRoleArnException"


class InvalidInsightSelectorsException(ServiceError):
    """An insight selector is wrong, or the trail does not log what it would measure."""

    code = "InvalidInsightSelectorsException"


class InsightNotEnabledException(ServiceError):
    """The trail has no Insights."""

    code = "InsightNotEnabledException"


class InvalidParameterException(ServiceError):
    """A parameter is wrong."""

    code = "InvalidParameterException"


class TagsLimitExceededException(ServiceError):
    """More than 50 tags."""

    code = "TagsLimitExceededException"


class InvalidTagParameterException(ServiceError):
    """A tag is wrong or given twice."""

    code = "InvalidTagParameterException"


class ResourceNotFoundException(ServiceError):
    """There is no such resource."""

    code = "ResourceNotFoundException"


class ResourceTypeNotSupportedException(ServiceError):
    """The resource has no tags."""

    code = "ResourceTypeNotSupportedException"


class UnsupportedOperationException(ServiceError):
    """Not served by this version."""

    code = "UnsupportedOperationException"


class ThrottlingException(ServiceError):
    """Too many calls in a second."""

    code = "ThrottlingException"


class OrganizationsNotInUseException(ServiceError):
    """The account is in no organization."""

    code = "OrganizationsNotInUseException"


class OrganizationNotInAllFeaturesModeException(ServiceError):
    """The organization is for billing only."""

    code = "OrganizationNotInAllFeaturesModeException"


class NotOrganizationMasterAccountException(ServiceError):
    """The account may not make or change trails of its organization."""

    code = "NotOrganizationMasterAccountException"


class NotOrganizationManagementAccountException(ServiceError):
    """Only the management account may do this."""

    code = "NotOrganizationManagementAccountException"


class CloudTrailAccessNotEnabledException(ServiceError):
    """CloudTrail has no access to the organization."""

    code = "CloudTrailAccessNotEnabledException"


class InsufficientDependencyServiceAccessPermissionException(ServiceError):
    """The caller lacks a permission at another service, which the operation needs."""

    code = "InsufficientDependencyServiceAccessPermissionException"


class InsufficientIAMAccessPermissionException(ServiceError):
    """The caller may not make CloudTrail's service-linked role."""

    code = "InsufficientIAMAccessPermissionException"


class NoManagementAccountSLRExistsException(ServiceError):
    """The management account has no service-linked role of CloudTrail."""

    code = "NoManagementAccountSLRExistsException"


class AccountNotFoundException(ServiceError):
    """The organization has no such account."""

    code = "AccountNotFoundException"


class AccountRegisteredException(ServiceError):
    """The account is a delegated administrator already."""

    code = "AccountRegisteredException"


class AccountNotRegisteredException(ServiceError):
    """The account is no delegated administrator."""

    code = "AccountNotRegisteredException"


class CannotDelegateManagementAccountException(ServiceError):
    """The management account needs no delegation."""

    code = "CannotDelegateManagementAccountException"


class DelegatedAdminAccountLimitExceededException(ServiceError):
    """There are as many delegated administrators as there may be."""

    code = "DelegatedAdminAccountLimitExceededException"


class InvalidLookupAttributesException(ServiceError):
    """More than one attribute to look up."""

    code = "InvalidLookupAttributesException"


class ChannelARNInvalidException(ServiceError):
    """An ARN is not one of a channel."""

    code = "ChannelARNInvalidException"


class ChannelNotFoundException(ServiceError):
    """There is no such channel."""

    code = "ChannelNotFoundException"


class EventDataStoreARNInvalidException(ServiceError):
    """An ARN is not one of an event data store."""

    code = "EventDataStoreARNInvalidException"


class EventDataStoreNotFoundException(ServiceError):
    """There is no such event data store."""

    code = "EventDataStoreNotFoundException"


class OperationNotPermittedException(ServiceError):
    """The operation cannot be done here."""

    code = "OperationNotPermittedException"
