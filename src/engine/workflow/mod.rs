//! To be written: workflow/mod.
