//! Puts the parts of the process together.

pub mod descriptors;
