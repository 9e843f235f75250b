//! To be written: ber.
