//! Everything that needs the program as a whole, in one binary.

mod rbac;
