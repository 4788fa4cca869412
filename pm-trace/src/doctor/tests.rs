use super::*;
use crate::kernel::system::Live;

#[test]
fn live() {
    println!("{}", run(&Live).to_text());
}
