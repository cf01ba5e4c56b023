//! `ministream-dump` as its users meet it: arguments in, text and exit code out.

mod errors;
mod formats;
mod html;
mod ladders;
mod run;
mod selection;
mod statistics;
mod tables;
mod tour;
