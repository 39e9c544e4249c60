"""The AsyncAPI 3.0 document of a service, made from the event classes themselves."""

from collections.abc import Collection
from typing import Any, get_args

import msgspec

from shared.events import Event
from shared.events.codec import AnyEvent
from shared.topics import PARTITIONS, Topic, topic_of

_REF = "#/components/schemas/{name}"


def asyncapi_document(
    *,
    title: str,
    version: str,
    prefix: str,
    publishes: Collection[Topic] = (),
    reads: Collection[Topic] = (),
) -> dict[str, Any]:
    """What a service publishes and reads: channels, messages and the JSON Schema of each event."""
    classes: list[type[Event]] = [
        cls for cls in get_args(AnyEvent) if topic_of(_wire_type(cls)) in {*publishes, *reads}
    ]
    _, schemas = msgspec.json.schema_components(classes, ref_template=_REF)
    channels = {topic.value: _channel(topic, prefix, classes) for topic in (*publishes, *reads)}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            **{f"publish {topic}": _operation("send", topic) for topic in publishes},
            **{f"read {topic}": _operation("receive", topic) for topic in reads},
        },
        "components": {"schemas": schemas},
    }


def _channel(topic: Topic, prefix: str, classes: Collection[type[Event]]) -> dict[str, Any]:
    return {
        "address": prefix + topic,
        "bindings": {
            "kafka": {"partitions": PARTITIONS, "topicConfiguration": {"retention.ms": -1}}
        },
        "messages": {
            _wire_type(cls): {
                "name": _wire_type(cls),
                "summary": (cls.__doc__ or "").partition("\n")[0],
                "headers": {"type": "object", "required": ["ce_id", "ce_type", "ce_subject"]},
                "payload": {"$ref": _REF.format(name=cls.__name__)},
            }
            for cls in classes
            if topic_of(_wire_type(cls)) is topic
        },
    }


def _operation(action: str, topic: Topic) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic.value}"}}


def _wire_type(cls: type[Event]) -> str:
    return str(cls.__struct_config__.tag)
