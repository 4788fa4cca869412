//! The interactive view.
//!
//! ```text
//! ┌ tabs: 1 Overview  2 Devices  3 Waits  4 Timeline  5 Findings  6 Events          source ┐  draw.rs
//! │ moment: time, event, speed, loss                                                       │
//! │ the worst finding in one line                                                          │
//! │                                                                                        │
//! │ the view in front: draw/{overview,devices,waits,timeline,findings,events}.rs           │
//! │        popups: draw/popup.rs                                                           │
//! │                                                                                        │
//! └ footer: what the keys do here, or a message ───────────────────────────────────────────┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`action`] | the one table of what can be done |
//! | [`keys`] | keys and which action each is for |
//! | [`config`] | the configuration file |
//! | [`theme`] | colours and characters |
//! | [`app`] | the state; [`scene`] and [`lanes`] derive what is shown of it |
//! | [`opening`] | a trace that is still being read while it is looked at |
//! | [`update`] | keys, mouse, time and events into state |
//! | [`draw`] | state into cells |
//! | [`picture`] | a screen as SVG, for the documentation |
//! | [`console`] | whether the kernel wrote on the same screen |
//! | [`terminal`] | taking a terminal over and giving it back |
//! | [`run`] | the loop around it all |
//!
//! A view shows what `history`, `model` and `diagnose` say and decides nothing about it.

pub mod action;
pub mod app;
pub mod config;
pub mod console;
pub mod detail;
pub mod draw;
pub mod keys;
pub mod lanes;
pub mod opening;
pub mod picture;
pub mod run;
pub mod scene;
pub mod terminal;
pub mod theme;
pub mod update;

#[cfg(test)]
mod tests;
