"""Clients of AWS services, and their errors as sentences that name the action and the next step.

Credentials, region and endpoint are found by boto3's own conventions. boto3 is imported inside: the extra `athena`.
"""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from analytics_lib.errors import AwsError, SettingsError

CONNECTIONS = 64  # side by side, in one client
_making = threading.Lock()  # a boto3 session makes one client at a time

_NEXT_STEPS = {
    "AccessDenied": "ask for the permission; docs/athena.md lists what each command needs, docs/cloudwatch.md for logs",
    "ExpiredToken": "the credentials have expired: sign in again, e.g. with `aws sso login`, and repeat the command",
    "InvalidClientTokenId": "the credentials are not known to AWS: check AWS_ACCESS_KEY_ID or AWS_PROFILE",
    "NoSuchBucket": "check the bucket's name and the account",
    "PermanentRedirect": "the bucket is in another region: set AWS_DEFAULT_REGION to it",
    "Throttling": "AWS limits the rate of requests: wait a minute and repeat the command",
}
_ACTIONS = {  # which permission an operation of S3 needs
    "DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "DeleteObject": "s3:DeleteObject",
    "DeleteObjects": "s3:DeleteObject",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "PutObject": "s3:PutObject",
}
_SAME = {
    "403": "AccessDenied",
    "AccessDeniedException": "AccessDenied",
    "UnauthorizedOperation": "AccessDenied",
    "ExpiredTokenException": "ExpiredToken",
    "RequestExpired": "ExpiredToken",
    "InvalidAccessKeyId": "InvalidClientTokenId",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "SignatureDoesNotMatch": "InvalidClientTokenId",
    "301": "PermanentRedirect",
    "AuthorizationHeaderMalformed": "PermanentRedirect",
    "IllegalLocationConstraintException": "PermanentRedirect",
    "ThrottlingException": "Throttling",
    "TooManyRequestsException": "Throttling",
    "SlowDown": "Throttling",
}


@functools.cache
def client(service: str) -> Any:
    """A client of the service, made once; clients may be used by many threads. Raises SettingsError, AwsError."""
    settled = config()
    import boto3

    with _making, explained(f"making a client of {service}"):
        return boto3.client(service, config=settled)


def session() -> Any:
    """boto3's session, the one that `client` uses: what it has read of the services' models is not read again."""
    import boto3

    if boto3.DEFAULT_SESSION is None:
        boto3.setup_default_session()
    return boto3.DEFAULT_SESSION


def config() -> Any:
    """How every client calls: retries, connections, time-outs. Raises SettingsError where boto3 is not installed."""
    try:
        from botocore.config import Config
    except ImportError:
        raise SettingsError(
            "data on S3 and Athena need the extra `athena`; install it with: pip install 'analytics_lib[athena]'"
        ) from None
    return Config(
        retries={"mode": "standard", "max_attempts": 5},
        max_pool_connections=CONNECTIONS,
        connect_timeout=10,
        user_agent_extra="analytics-lib",
    )


@contextmanager
def explained(attempt: str, service: str = "") -> Iterator[None]:
    """Turn what boto3 raises inside into AwsError: `attempt` failed, which action was refused, what to do next.

    `service` is that of the action as policies name it, where it is neither S3 nor Athena nor Glue.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise AwsError(f"{attempt} failed: {_refusal(error, service)}", code_of(error)) from error
    except BotoCoreError as error:
        raise AwsError(f"{attempt} failed: {_trouble(error)}", type(error).__name__) from error


def code_of(error: Any) -> str:
    """The error's code in one spelling, e.g. AccessDenied, NoSuchBucket, EntityNotFoundException."""
    code = str(error.response.get("Error", {}).get("Code", "")) or type(error).__name__
    return _SAME.get(code, code)


def action(operation: str) -> str:
    """The permission that an operation of S3, Athena or Glue needs, as policies name it."""
    service = "athena" if "Query" in operation or "WorkGroup" in operation else "glue"
    return _ACTIONS.get(operation, f"{service}:{operation}")


def _refusal(error: Any, service: str) -> str:
    answer = error.response.get("Error", {})
    code = code_of(error)
    said = f"{code}: {answer.get('Message', '')}".rstrip(": ")
    name = f"{service}:{error.operation_name}" if service else action(error.operation_name)
    said += f" (action {name})"
    return f"{said}; {_NEXT_STEPS[code]}" if code in _NEXT_STEPS else said


def _trouble(error: Exception) -> str:
    hints = {
        "NoCredentialsError": "no AWS credentials were found; sign in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID",
        "NoRegionError": "no AWS region is set; set AWS_DEFAULT_REGION, e.g. AWS_DEFAULT_REGION=eu-central-1",
        "ProfileNotFound": f"{error}; check AWS_PROFILE",
        "EndpointConnectionError": f"{error}; check the network, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL",
        "TokenRetrievalError": f"{error}; sign in again: aws sso login",
        "UnauthorizedSSOTokenError": f"{error}; sign in again: aws sso login",
        "SSOTokenLoadError": f"{error}; sign in: aws sso login",
    }
    return hints.get(type(error).__name__, f"{type(error).__name__}: {error}")
