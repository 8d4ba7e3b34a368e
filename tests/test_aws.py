"""Errors of AWS as sentences: what was attempted, which action was refused, what to do next."""

import sys

import boto3
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from analytics_lib import aws
from analytics_lib.errors import AwsError, SettingsError


def refused(code: str, operation: str = "ListObjectsV2") -> AwsError:
    answer = {"Error": {"Code": code, "Message": "said AWS."}}
    with pytest.raises(AwsError) as error, aws.explained("listing"):
        raise ClientError(answer, operation)  # type: ignore[arg-type]
    return error.value


@pytest.mark.parametrize(
    ("code", "same", "step"),
    [
        ("AccessDenied", "AccessDenied", "ask for the permission; docs/athena.md lists what each command needs"),
        ("AccessDeniedException", "AccessDenied", "ask for the permission"),
        ("ExpiredTokenException", "ExpiredToken", "sign in again, e.g. with `aws sso login`"),
        ("InvalidAccessKeyId", "InvalidClientTokenId", "check AWS_ACCESS_KEY_ID or AWS_PROFILE"),
        ("PermanentRedirect", "PermanentRedirect", "the bucket is in another region: set AWS_DEFAULT_REGION to it"),
        ("SlowDown", "Throttling", "wait a minute and repeat the command"),
    ],
)
def test_a_refusal_names_the_action_and_the_next_step(code: str, same: str, step: str) -> None:
    error = refused(code)
    assert str(error).startswith(f"listing failed: {same}: said AWS. (action s3:ListBucket); ")
    assert step in str(error)
    assert error.code == same


def test_a_refusal_that_is_not_known_is_told_as_it_is() -> None:
    error = refused("EntityNotFoundException", "GetTable")
    assert str(error) == "listing failed: EntityNotFoundException: said AWS. (action glue:GetTable)"


@pytest.mark.parametrize(
    ("trouble", "step"),
    [
        (NoCredentialsError(), "no AWS credentials were found; sign in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"),
        (NoRegionError(), "no AWS region is set; set AWS_DEFAULT_REGION, e.g. AWS_DEFAULT_REGION=eu-central-1"),
        (ProfileNotFound(profile="work"), "check AWS_PROFILE"),
        (
            EndpointConnectionError(endpoint_url="http://x"),
            "check the network, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL",
        ),
    ],
)
def test_what_keeps_a_call_from_aws_is_told_with_the_next_step(trouble: BotoCoreError, step: str) -> None:
    with pytest.raises(AwsError) as error, aws.explained("listing"):
        raise trouble
    assert str(error.value).startswith("listing failed: ")
    assert step in str(error.value)
    assert error.value.code == type(trouble).__name__


def test_without_credentials_a_call_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps what an earlier test had
    aws.client.cache_clear()
    with pytest.raises(AwsError, match="no AWS credentials were found"), aws.explained("listing"):
        aws.client("s3").list_buckets()
    aws.client.cache_clear()


def test_without_a_region_a_client_says_so() -> None:
    aws.client.cache_clear()
    with pytest.raises(AwsError, match="making a client of glue failed: no AWS region is set"):
        aws.client("glue")


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    with pytest.raises(SettingsError, match=r"pip install 'analytics_lib\[athena\]'"):
        aws.config()
