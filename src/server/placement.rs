//! Which core each shard gets.

/// One core per shard, of those that the process may use (its affinity mask, which `taskset` and
/// systemd's `CPUAffinity` set). More shards than cores share cores, in turn.
pub fn cores(shards: Option<usize>) -> Vec<usize> {
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    let mut cores: Vec<usize> = ids.into_iter().map(|core| core.id).collect();
    if cores.is_empty() {
        cores.push(0); // the mask cannot be read: every machine has a first core
    }
    let count = shards.unwrap_or(cores.len());
    (0..count).map(|shard| cores[shard % cores.len()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_beyond_the_cores_share_them_in_turn() {
        let one_each = cores(None);
        assert!(!one_each.is_empty());
        let twice = cores(Some(one_each.len() * 2));
        assert_eq!(twice[..one_each.len()], twice[one_each.len()..]);
    }
}
