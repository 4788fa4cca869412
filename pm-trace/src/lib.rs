//! pm-trace: finds out, live, why a Linux system does not come back from sleep.
//!
//! Data flows one way through the rooms: `kernel` says what this kernel offers, `capture` records, `event`
//! is what was recorded, `trace` stores it, `model` folds it, `history` gives both back at any moment,
//! `diagnose` explains it, `report` and `tui` show it, `export` hands it on.

pub mod bundle;
pub mod capture;
pub mod cli;
pub mod commands;
pub mod diagnose;
pub mod doctor;
pub mod event;
pub mod export;
pub mod history;
pub mod import;
pub mod kernel;
pub mod model;
pub mod patient;
pub mod pulse;
pub mod recover;
pub mod report;
pub mod runs;
pub mod text;
pub mod trace;
pub mod tty;
pub mod tui;
pub mod watchdog;
