//! To be written: response.
