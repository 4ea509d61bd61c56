//! What people and their programs see of the tables, beside the ports, and how long it is kept.

mod deeds;
mod place;
mod readers;
mod samples;
mod secrets;
mod views;
