//! The test vectors of docs/partitioning.md hold.

use std::{fmt::Write, path::Path};

use foreshock_model::{IDENTITY_ATTRIBUTES, Identity, Tenant, partition_of};

/// Tenant and identity attributes, as the document's table has them.
const VECTORS: [(&str, &[(&str, &str)]); 7] = [
    ("default", &[]),
    ("acme", &[]),
    ("default", &[("service.name", "cart")]),
    ("acme", &[("service.name", "cart")]),
    ("default", &[("service.name", "cart"), ("service.instance.id", "1")]),
    (
        "default",
        &[
            ("service.namespace", "shop"),
            ("service.name", "checkout"),
            ("service.instance.id", "627cc493-f310-47de-96bd-71410b7dec09"),
            ("host.name", "node-7"),
            ("k8s.pod.uid", "275ecb36-5aa8-4c2a-9c47-d8bb681b9aff"),
            ("k8s.namespace.name", "prod"),
        ],
    ),
    ("default", &[("host.name", "b\u{fc}ro-1")]),
];

#[test]
fn the_documents_vectors_are_what_the_code_computes() {
    let mut table = String::new();
    for (tenant, attributes) in VECTORS {
        let mut identity = Identity::default();
        for (name, value) in attributes {
            assert!(IDENTITY_ATTRIBUTES.contains(name));
            identity.note(name, value);
        }
        let key = identity.key(&Tenant::new(tenant).expect("a name"));
        let shown: Vec<_> = attributes.iter().map(|(name, value)| format!("`{name}={value}`")).collect();
        let shown = if shown.is_empty() { "none".to_owned() } else { shown.join(" ") };
        let (of_4, of_64) = (partition_of(&key.0, 4), partition_of(&key.0, 64));
        writeln!(table, "| {tenant} | {shown} | `{key}` | {of_4} | {of_64} |").expect("a string takes all");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/partitioning.md");
    let document = std::fs::read_to_string(path).expect("docs/partitioning.md");
    assert!(document.contains(&table), "docs/partitioning.md should hold:\n{table}");
}
