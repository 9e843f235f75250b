//! The control port over a real Unix socket.
