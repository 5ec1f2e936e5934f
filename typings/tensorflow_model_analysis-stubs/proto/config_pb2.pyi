# Generated at run time from descriptors: the messages have no static types on protobuf 3.
from typing import Any

def __getattr__(name: str) -> Any: ...
