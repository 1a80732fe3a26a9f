"""The protobuf messages of CRIU's image files, described in our own .proto files."""
