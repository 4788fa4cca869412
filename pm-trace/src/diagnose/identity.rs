//! Identity of findings.

use super::finding::Kind;
use super::graph::Node;

/// A hash (64-bit FNV-1a) of a kind and its members, whatever their order. It does not depend on the
/// program's version or the machine.
pub(crate) fn hash(kind: Kind, cycle: u32, members: impl Iterator<Item = Node>) -> String {
    let mut members: Vec<[u32; 3]> = members.map(number).collect();
    members.sort_unstable();
    let words = [kind as u32, cycle].into_iter().chain(members.into_iter().flatten());
    let hash = words.flat_map(u32::to_le_bytes).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn number(node: Node) -> [u32; 3] {
    match node {
        Node::Step(dev, step) => [1, dev.0, u32::from(step as u16)],
        Node::Task(tid) => [2, tid, 0],
        Node::Lock(lock) => [3, lock.0, 0],
        Node::Queue(queue) => [4, queue.0, 0],
        Node::Work(work) => [5, work.0, 0],
        Node::Completion(completion) => [6, completion.0, 0],
        Node::Async(domain) => [7, domain.map_or(0, |domain| domain.0), u32::from(domain.is_some())],
        Node::AtaEh(port) => [8, port.0, 0],
        Node::Command(sdev) => [9, sdev.0, 0],
        Node::Sleep(tid) => [10, tid, 0],
        Node::Runtime(dev) => [11, dev.0, 0],
    }
}
