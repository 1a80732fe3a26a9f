"""Running a checkpoint here: its pages served on demand, and the container restored. Only this
package runs a checkpoint, and only when asked."""
