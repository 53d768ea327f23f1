//! Keeps secrets in memory from getting onto the disk.

/// Makes the kernel write no core dump of this process, whatever kills it: the memory holds the token. On Linux, other
/// processes of the same user can then not read its memory and its environment either.
pub(super) fn keep_out_of_core_dumps() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // If the kernel does not know it, the limit below is what there is.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    let _ = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0);
}
