//! OVMF's variable store: reading it, and writing Secure Boot keys into it before the first boot.
//!
//! A `VARS` file is an EFI firmware volume (PI 1.7 Vol. 3, §3.2) whose only content is a variable store
//! (edk2, `MdeModulePkg/Include/Guid/VariableFormat.h`). Writing keys into it by hand is what a setup menu
//! or `EnrollDefaultKeys.efi` would do, without a boot: the machine comes up with Secure Boot on.

mod entry;
mod store;

pub use entry::Variable;
pub use store::Store;

use vitrine_attest::secure_boot::{Guid, Variables, EFI_GLOBAL_VARIABLE, EFI_IMAGE_SECURITY_DATABASE};
use vitrine_attest::Result;

/// `f0a30bc7-af08-4556-99c4-001009c93a44`: vendor of `SecureBootEnable`, edk2's own switch
/// (`SecurityPkg/Include/Guid/AuthenticatedVariableFormat.h`).
const EFI_SECURE_BOOT_ENABLE_DISABLE: Guid =
    [0xc7, 0x0b, 0xa3, 0xf0, 0x08, 0xaf, 0x56, 0x45, 0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44];

/// EFI_VARIABLE_NON_VOLATILE | BOOTSERVICE_ACCESS (UEFI 2.10, §8.2.1).
const BOOT_ONLY: u32 = 0x03;
/// … | RUNTIME_ACCESS | TIME_BASED_AUTHENTICATED_WRITE_ACCESS: what UEFI asks of PK, KEK, db and dbx (§32.3).
const AUTHENTICATED: u32 = 0x27;

/// A `VARS` file with PK, KEK, db and, if it is not empty, dbx, made from an empty one.
///
/// # Errors
/// When `empty` is no variable store, when it already holds one of these variables,
/// when the variables are malformed, or when they do not fit.
pub fn enroll(empty: &[u8], keys: &Variables) -> Result<Vec<u8>> {
    keys.check()?;
    let mut store = Store::parse(empty)?;
    for (vendor, name, data) in [
        (EFI_IMAGE_SECURITY_DATABASE, "db", &keys.db),
        (EFI_IMAGE_SECURITY_DATABASE, "dbx", &keys.dbx),
        (EFI_GLOBAL_VARIABLE, "KEK", &keys.kek),
        (EFI_GLOBAL_VARIABLE, "PK", &keys.pk),
    ] {
        if !data.is_empty() {
            store.add(Variable::new(vendor, name, AUTHENTICATED, data.clone()))?;
        }
    }
    store.add(Variable::new(EFI_SECURE_BOOT_ENABLE_DISABLE, "SecureBootEnable", BOOT_ONLY, vec![1]))?;
    store.to_bytes()
}

/// A `VARS` file with these variables besides those that it holds.
///
/// # Errors
/// When the bytes are no variable store, or the variables are there already or do not fit.
pub fn with(vars: &[u8], more: &[Variable]) -> Result<Vec<u8>> {
    let mut store = Store::parse(vars)?;
    for variable in more {
        store.add(variable.clone())?;
    }
    store.to_bytes()
}

/// The keys that a `VARS` file holds; variables that it lacks are empty.
///
/// # Errors
/// When the bytes are no variable store.
pub fn enrolled(vars: &[u8]) -> Result<Variables> {
    let store = Store::parse(vars)?;
    let data = |vendor, name| store.get(vendor, name).map(|v| v.data.clone()).unwrap_or_default();
    Ok(Variables {
        pk: data(EFI_GLOBAL_VARIABLE, "PK"),
        kek: data(EFI_GLOBAL_VARIABLE, "KEK"),
        db: data(EFI_IMAGE_SECURITY_DATABASE, "db"),
        dbx: data(EFI_IMAGE_SECURITY_DATABASE, "dbx"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_attest::secure_boot::signature_list;

    pub(super) fn keys() -> Variables {
        let list = |owner, der: &[u8]| signature_list([owner; 16], der);
        Variables { pk: list(1, b"pk"), kek: list(2, b"kek of odd length"), db: list(3, &[7; 900]), dbx: vec![] }
    }

    #[test]
    fn enrolled_keys_are_read_back() {
        let empty = store::tests::empty();
        let vars = enroll(&empty, &keys()).unwrap();
        assert_eq!(vars.len(), empty.len());
        assert_eq!(enrolled(&vars).unwrap(), keys());
        assert_eq!(enrolled(&empty).unwrap(), Variables::none());
        assert_eq!(vars, enroll(&empty, &keys()).unwrap(), "the same keys gave another file");
    }

    #[test]
    fn more_variables_stand_beside_the_keys() {
        let vars = enroll(&store::tests::empty(), &keys()).unwrap();
        let order = Variable::new(EFI_GLOBAL_VARIABLE, "BootOrder", 7, vec![0, 0]);
        let both = with(&vars, std::slice::from_ref(&order)).unwrap();
        assert_eq!(enrolled(&both).unwrap(), keys());
        assert_eq!(Store::parse(&both).unwrap().get(EFI_GLOBAL_VARIABLE, "BootOrder"), Some(&order));
        assert!(with(&both, &[order]).unwrap_err().what.contains("already"));
        assert_eq!(with(&vars, &[]).unwrap(), vars);
    }

    #[test]
    fn nothing_is_enrolled_twice_or_malformed() {
        let vars = enroll(&store::tests::empty(), &keys()).unwrap();
        assert!(enroll(&vars, &keys()).unwrap_err().what.contains("already"));
        assert!(enroll(&store::tests::empty(), &Variables { pk: vec![], ..keys() }).is_err());
    }

    #[test]
    fn keys_that_do_not_fit_are_refused() {
        let big = Variables { db: signature_list([3; 16], &vec![7; 400_000]), ..keys() };
        assert!(enroll(&store::tests::empty(), &big).unwrap_err().what.contains("fit"));
    }
}
