"""The messages of CRIU's images as our own .proto files, and what protoc makes of them.

Names and numbers are CRIU's (v4.2); every field is optional, since older and newer releases leave
some out. A `string` field gives `bytes` where the image holds no UTF-8, so pass it through
`ckpt_tui.criu.values.text`.

The generated modules are committed. To make them again after a change, from the root of the source
tree:

    cd tui && python -m grpc_tools.protoc -I. --python_out=. --mypy_out=quiet:. \
        ckpt_tui/criu/schema/*.proto

with the versions of grpcio-tools and mypy-protobuf that pyproject.toml pins: what they generate
runs with protobuf 6.31 and everything later.
"""
