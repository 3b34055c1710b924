//! Everything that needs the program as a whole, in one binary.

mod advice;
mod advised;
mod bundles;
mod cases;
mod causes;
mod cross_fire;
mod deploy;
mod drift;
mod evidence;
mod hostile;
mod live;
mod pages;
mod rbac;
mod real;
mod shuffle;
mod withholding;
