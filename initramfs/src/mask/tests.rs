use super::*;

fn tree(entries: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::new();
    for (path, body) in entries {
        let path = ImagePath::parse(path).unwrap();
        match body.strip_prefix("-> ") {
            Some(target) => tree.add_link(path, target, Layer::Distribution, "p 1").unwrap(),
            None => {
                let content = Content::new(body.as_bytes().to_vec());
                tree.add_file(path, content, 0o444, Layer::Distribution, "p 1").unwrap();
            }
        }
    }
    tree
}

/// Files and links that are there, links with their ends.
fn listed(tree: &Tree) -> Vec<String> {
    let entries = tree.iter().filter(|(_, entry)| !entry.is_directory());
    entries
        .map(|(path, entry)| match &entry.node {
            Node::Link(target) => format!("{path} -> {target}"),
            _ => path.to_string(),
        })
        .collect()
}

fn policy(rule: &str) -> Policy {
    Policy::parse(&format!("[[mask]]\nid = \"r\"\nwhy = \"w\"\n{rule}\n"), &[]).unwrap()
}

#[test]
fn programs_go_and_units_become_null() {
    let tree = tree(&[
        ("/usr/sbin/rsyslogd", ""),
        ("/usr/sbin/tool", ""),
        ("/usr/lib/systemd/system/systemd-journald-dev-log.socket", ""),
        ("/usr/lib/systemd/system/network.target", ""),
        ("/etc/rsyslog.d/50-default.conf", ""),
    ]);
    let (tree, masked) = mask(tree, &Policy::standard());
    let null = "/usr/lib/systemd/system/systemd-journald-dev-log.socket -> /dev/null";
    assert_eq!(listed(&tree), ["/usr/lib/systemd/system/network.target", null, "/usr/sbin/tool"]);
    let rules: Vec<_> = masked.iter().map(|m| (m.rule.as_str(), m.action)).collect();
    assert_eq!(
        rules,
        [("mask.syslog", Action::Removed), ("mask.journal", Action::Nulled), ("mask.syslog", Action::Removed)]
    );
    assert!(tree.get(&ImagePath::parse("/etc/rsyslog.d").unwrap()).is_none(), "an emptied folder stays");
}

#[test]
fn links_to_what_has_gone_go_too() {
    let policy = policy("remove = [\"/usr/bin/dash\"]");
    let tree = tree(&[
        ("/usr/bin/dash", ""),
        ("/usr/bin/sh", "-> dash"),
        ("/etc/alternatives/sh", "-> /bin/sh"),
        ("/usr/bin/other", "-> nowhere"),
    ]);
    let (tree, masked) = mask(tree, &policy);
    assert_eq!(listed(&tree), ["/usr/bin/other -> nowhere"], "what led nowhere before is not the mask's matter");
    assert_eq!(masked.len(), 3);
    assert!(masked.iter().all(|masked| masked.rule == "r" && masked.action == Action::Removed));
}

#[test]
fn wishes_and_drop_ins_of_a_masked_unit_go() {
    let policy = policy("null = [\"cron*\"]");
    let tree = tree(&[
        ("/usr/lib/systemd/system/cron.service", ""),
        ("/etc/systemd/system/crond.service", "-> /lib/systemd/system/cron.service"),
        ("/etc/systemd/system/multi-user.target.wants/cron.service", "-> /lib/systemd/system/cron.service"),
        ("/etc/systemd/system/cron.service.d/x.conf", ""),
        ("/usr/lib/systemd/system/acron.service", ""),
    ]);
    let (tree, masked) = mask(tree, &policy);
    assert_eq!(
        listed(&tree),
        [
            "/etc/systemd/system/crond.service -> /dev/null",
            "/usr/lib/systemd/system/acron.service",
            "/usr/lib/systemd/system/cron.service -> /dev/null",
        ]
    );
    assert_eq!(masked.len(), 4);
}

#[test]
fn an_edited_file_is_reported_with_both_hashes() {
    let policy = policy("edit = [{ files = [\"/etc/*.conf\"], lines = [\"/var/log\"] }]");
    let body = "d /var/log\nd /run/x\n";
    let tree = tree(&[("/etc/a.conf", body), ("/etc/b.conf", "d /run/x\n"), ("/usr/c.conf", body)]);
    let (tree, masked) = mask(tree, &policy);
    assert_eq!(tree.get(&ImagePath::parse("/etc/a.conf").unwrap()).unwrap().bytes(), b"d /run/x\n");
    let [only] = masked.as_slice() else { panic!("{masked:#?}") };
    assert_eq!((only.path.as_str(), only.action), ("/etc/a.conf", Action::Edited));
    assert_eq!(only.sha256, Some(Sha256::of(body.as_bytes())));
    assert_eq!(only.after, Some(Sha256::of(b"d /run/x\n")));
}

#[test]
fn empty_folders_that_fit_go_and_others_stay() {
    let policy = policy("remove = [\"/var/log/**\"]");
    let mut tree = tree(&[("/var/log/runit/ssh/current", "")]);
    for folder in ["/var/log/audit", "/var/lib/empty"] {
        tree.add_directory(ImagePath::parse(folder).unwrap(), Layer::Distribution, "p 1").unwrap();
    }
    let (tree, masked) = mask(tree, &policy);
    let left: Vec<&str> = tree.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(left, ["/var", "/var/lib", "/var/lib/empty", "/var/log"]);
    assert_eq!(masked.len(), 2, "{masked:#?}");
}

#[test]
fn a_clean_tree_stays_as_it_is() {
    let clean = tree(&[("/usr/lib/vitrine/agent", ""), ("/etc/os-release", "")]);
    assert_eq!(mask(clean.clone(), &Policy::standard()), (clean, vec![]));
}

/// Each standard rule with something that it takes, and a near twin that it leaves.
#[test]
fn every_standard_rule_takes_its_like_and_leaves_its_twin() {
    let cases = include_str!("cases.txt");
    let policy = Policy::standard();
    let mut seen = std::collections::BTreeSet::new();
    for line in cases.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let [rule, action, bad, good] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        let path_of = |text: &str| text.split_once('|').map_or(text.to_string(), |(path, _)| path.to_string());
        let made = |text: &str| match text.split_once('|') {
            Some((path, body)) => tree(&[(path, &format!("kept\n{body}\n"))]),
            None => tree(&[(text, "x")]),
        };
        let (_, masked) = mask(made(bad), &policy);
        let found: Vec<_> =
            masked.iter().map(|m| (m.rule.as_str(), format!("{:?}", m.action).to_lowercase())).collect();
        assert_eq!(found, [(rule, action.to_string())], "{bad}");
        assert_eq!(masked[0].path.as_str(), path_of(bad));
        assert_eq!(mask(made(good), &policy).1, [], "{good}: the twin of {bad}");
        seen.insert(rule.to_string());
    }
    let all: std::collections::BTreeSet<String> = policy.masks.iter().map(|rule| rule.id.clone()).collect();
    assert_eq!(seen, all, "a rule without a case, or a case without a rule");
}

/// Every case in one tree: masked twice is masked once.
#[test]
fn masking_twice_is_masking_once() {
    let cases = include_str!("cases.txt");
    let bad = cases.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('\t').nth(2));
    let mut entries: BTreeMap<&str, String> = BTreeMap::new();
    for text in bad {
        let (path, body) = text.split_once('|').unwrap_or((text, "x"));
        entries.insert(path, format!("kept\n{body}\n"));
    }
    let entries: Vec<(&str, &str)> = entries.iter().map(|(path, body)| (*path, body.as_str())).collect();
    let (once, masked) = mask(tree(&entries), &Policy::standard());
    let paths: std::collections::BTreeSet<&str> = masked.iter().map(|masked| masked.path.as_str()).collect();
    assert_eq!(paths.len(), entries.len(), "something in the one tree hid something else");
    assert_eq!(mask(once.clone(), &Policy::standard()), (once, vec![]));
}
