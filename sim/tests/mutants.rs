//! Every planted defect is found, and the same runs find nothing without it.
#![cfg(feature = "mutants")]
