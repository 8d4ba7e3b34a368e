"""infra/template.yaml as CloudFormation would read it: values for its parameters in, properties of resources out."""

import re
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

FILE = Path(__file__).parents[2] / "infra" / "template.yaml"
TEMPLATE: dict[str, Any] = cfn_yaml.load(str(FILE))
ACCOUNT, REGION = "123456789012", "us-east-1"
_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "analytics",
}
_NOTHING = object()


class Stack:
    """The resources of a stack; a resource that is made by it is called what the template calls it, in lower case."""

    def __init__(self, **parameters: str) -> None:
        defaults = {name: str(each["Default"]) for name, each in TEMPLATE["Parameters"].items()}
        assert parameters.keys() <= defaults.keys()
        self.values = {**_PSEUDO, **defaults, **parameters}
        self.resources = {
            name: each for name, each in TEMPLATE["Resources"].items() if self._holds(each.get("Condition"))
        }

    def properties(self, name: str) -> dict[str, Any]:
        """The resource's properties, every function of CloudFormation carried out."""
        found = self.read(self.resources[name].get("Properties", {}))
        assert isinstance(found, dict)
        return found

    def of_kind(self, kind: str) -> dict[str, dict[str, Any]]:
        """Name -> properties of every resource of that type."""
        return {name: self.properties(name) for name, each in self.resources.items() if each["Type"] == kind}

    def _holds(self, condition: str | None) -> bool:
        return condition is None or self.read(TEMPLATE["Conditions"][condition])

    def read(self, value: Any) -> Any:
        if isinstance(value, list):
            return [read for read in map(self.read, value) if read is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        return {name: read for name, each in value.items() if (read := self.read(each)) is not _NOTHING}

    def _call(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._named(argument)
            case "Fn::GetAtt":
                return self._named(".".join(argument) if isinstance(argument, list) else argument)
            case "Fn::If":
                condition, yes, no = argument
                return self.read(yes if self._holds(condition) else no)
            case "Fn::Equals":
                first, second = map(self.read, argument)
                return first == second
            case "Fn::Not":
                return not self.read(argument[0])
            case "Fn::Sub":
                text, more = argument if isinstance(argument, list) else (argument, {})
                given = {key: self.read(each) for key, each in more.items()}
                text = re.sub(r"\$\{([^!}]+)\}", lambda found: given.get(found[1]) or self._named(found[1]), text)
                return text.replace("${!", "${")
        raise NotImplementedError(name)

    def _named(self, name: str) -> Any:
        """The value of a parameter; for a resource that of its Ref, or of an attribute after a dot."""
        if name == "AWS::NoValue":
            return _NOTHING
        if name in self.values:
            return self.values[name]
        resource, _, attribute = name.partition(".")
        kind = self.resources[resource]["Type"]
        own = resource.lower()
        if attribute == "Arn" or (kind == "AWS::SNS::Topic" and not attribute):
            service = "s3" if kind == "AWS::S3::Bucket" else kind.split("::")[1].lower()
            return f"arn:aws:s3:::{own}" if service == "s3" else f"arn:aws:{service}:{REGION}:{ACCOUNT}:{own}"
        return own
