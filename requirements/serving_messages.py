"""Writes serving/messages.binpb from the installed packages: `python requirements/serving_messages.py`."""

from google.protobuf import descriptor_pb2

from emotion_faces import messages, protos


def collect() -> descriptor_pb2.FileDescriptorSet:
    """Returns the descriptions of what a client sends and gets, each after those that it needs."""
    found: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def visit(file) -> None:
        if file.name in found:
            return
        for needed in file.dependencies:
            visit(needed)
        found[file.name] = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(found[file.name])

    for name in messages.MODULES:
        visit(getattr(protos, name).DESCRIPTOR)
    return descriptor_pb2.FileDescriptorSet(file=found.values())


if __name__ == "__main__":
    messages.FILE.write_bytes(collect().SerializeToString(deterministic=True))
