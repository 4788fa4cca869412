//! Where functions of the kernel are.
//!
//! `/proc/kallsyms` tells as well, but the kernel makes a line for each symbol, which takes as long as all of arming. A program
//! may ask for single ones (`bpf_kallsyms_lookup_name`, Linux 5.16), if it is of the kind that runs when told to.

use super::arming::refused;
use super::bpf::{bytes_map, bytes_of, call, end, load_of, load_to_run, run, set};
use aya_obj::generated::BPF_PSEUDO_MAP_VALUE;
use aya_obj::generated::bpf_func_id::BPF_FUNC_kallsyms_lookup_name;
use aya_obj::generated::bpf_insn;
use std::io;
use std::num::TryFromIntError;
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};

/// A symbol of every kernel: if it has none, addresses are hidden.
const ALWAYS: &str = "_stext";

/// The addresses of the functions of these names, in their order; 0 for one that is not there. Of several of one name it is
/// that of any.
///
/// # Errors
/// The kernel does not tell: it is too old, or hides addresses (`kernel.kptr_restrict`). The reason.
pub(super) fn addresses(names: &[&str]) -> Result<Vec<u64>, String> {
    let names: Vec<&str> = names.iter().copied().chain([ALWAYS]).collect();
    let mut found = ask(&names)?;
    if found.pop() == Some(0) {
        return Err("the kernel hides its addresses (kernel.kptr_restrict)".to_owned());
    }
    Ok(found)
}

fn ask(names: &[&str]) -> Result<Vec<u64>, String> {
    // First room for the answers, then the names, each with a zero behind it.
    let mut bytes = vec![0; size_of::<u64>() * names.len()];
    let mut places = Vec::new();
    for name in names {
        places.push((bytes.len(), name.len() + 1));
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
    }
    let failed = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let map = bytes_map(&bytes).map_err(failed("BPF_MAP_CREATE"))?;
    let code = code(map.as_raw_fd(), &places).map_err(|error| error.to_string())?;
    let program = load_to_run("addresses", &code).map_err(|(error, log)| refused(&error, &log))?;
    run(program.as_fd()).map_err(failed("BPF_PROG_TEST_RUN"))?;
    let bytes = bytes_of(map.as_fd(), bytes.len()).map_err(failed("BPF_MAP_LOOKUP_ELEM"))?;
    let (answers, _) = bytes.as_chunks::<{ size_of::<u64>() }>();
    Ok(answers.iter().take(names.len()).map(|answer| u64::from_ne_bytes(*answer)).collect())
}

/// For each name `bpf_kallsyms_lookup_name(name, length, 0, &answer)`, with names and answers in the map.
fn code(map: RawFd, places: &[(usize, usize)]) -> Result<Vec<bpf_insn>, TryFromIntError> {
    let mut code = Vec::new();
    for (index, &(name, length)) in places.iter().enumerate() {
        code.extend(load_of(1, BPF_PSEUDO_MAP_VALUE, map, i32::try_from(name)?));
        code.push(set(2, i32::try_from(length)?));
        code.push(set(3, 0));
        code.extend(load_of(4, BPF_PSEUDO_MAP_VALUE, map, i32::try_from(index * size_of::<u64>())?));
        // It leaves 0 where there is no such function.
        code.push(call(BPF_FUNC_kallsyms_lookup_name));
    }
    code.extend(end());
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aya_obj::generated::{BPF_CALL, BPF_JMP};

    /// A name's place or length that is wrong would be refused by the kernel for all names, or find something else.
    #[test]
    fn each_name_is_asked_for_where_it_stands() {
        let code = code(5, &[(16, 4), (20, 9)]).unwrap();
        let calls = code.iter().filter(|one| u32::from(one.code) == BPF_JMP | BPF_CALL);
        assert_eq!(calls.count(), 2);
        // Of each name: name, length, flags, answer; the second half of a long instruction has the place in the map.
        let number = |at: usize| code[at].imm;
        assert_eq!((number(1), number(2), number(3), number(5)), (16, 4, 0, 0));
        assert_eq!((number(8), number(9), number(10), number(12)), (20, 9, 0, 8));
    }
}
