//! Password hashes: argon2id for new ones; bcrypt, to verify imported ones.

use std::num::NonZeroUsize;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use super::turns::{Busy, Turn, Turns};
use crate::unicode;

/// Computes hashes on the runtime's blocking threads, a bounded number at once: each takes 19 MiB and some tens of
/// milliseconds. Requests wait in a fair queue ([`Turn`]).
pub struct Passwords(Turns);

/// Verified when the account does not exist, so that the answer takes as long as for one that does: the hash of discarded
/// random bytes. A constant, because computing it would dominate the start-up time.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$J9cd49e8sVRnJYiD2fnBUw$ZlDCZy1+cM3kArw1KLmRoOUI4Jip5t1Pb/NAktEP2IU";

/// Whether a password is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Wrong.
    Wrong,
    /// Right.
    Right,
    /// Right, but the stored hash is of an old kind and should be replaced.
    RightButOld,
}

impl Passwords {
    /// Computes at most `places` hashes at once. Use fewer than there are cores: strangers can request hashes, and the other
    /// cores serve everyone else meanwhile.
    pub fn new(places: NonZeroUsize) -> Self {
        Self(Turns::new(places.get()))
    }

    /// The argon2id hash of a password, as a PHC string (19 MiB, 2 passes: OWASP's recommendation). The password is
    /// hashed in Normalization Form C, so that any keyboard spells it alike.
    pub async fn hash(&self, password: String, turn: Turn) -> Result<String, Busy> {
        self.run(turn, move || hash(&unicode::nfc(&password))).await
    }

    /// Whether `password` matches the hash `stored`. Without a hash it never does, after the same time.
    ///
    /// An imported hash is of the password in the form that some keyboard sent, so each Unicode form of the password is
    /// tried.
    pub async fn verify(
        &self,
        password: String,
        stored: Option<String>,
        turn: Turn,
    ) -> Result<Verdict, Busy> {
        self.run(turn, move || {
            let spellings = spellings(&password);
            let stored = stored.filter(|stored| !stored.is_empty());
            let known = stored.as_deref().unwrap_or(DECOY);
            let verdicts =
                spellings.iter().enumerate().map(|(place, spelling)| (place, verify(spelling, known)));
            let right = verdicts.into_iter().find(|(_, verdict)| *verdict != Verdict::Wrong);
            match (stored, right) {
                (None, _) | (_, None) => Verdict::Wrong,
                (Some(_), Some((0, verdict))) => verdict,
                // Its new hash will be of the normal form.
                (Some(_), Some(_)) => Verdict::RightButOld,
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = self.0.take(turn).await?;
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(place);
            result
        });
        task.await.map_err(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down.
            Err(_) => Busy,
        })
    }
}

/// A password in its normal form, as it came, and decomposed, each once.
fn spellings(password: &str) -> Vec<String> {
    let mut spellings = vec![unicode::nfc(password).into_owned()];
    for spelling in [password.to_owned(), unicode::nfd(password)] {
        if !spellings.contains(&spelling) {
            spellings.push(spelling);
        }
    }
    spellings
}

fn hash(password: &str) -> String {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.expect("the default parameters are valid and the system gives a salt").to_string()
}

fn verify(password: &str, stored: &str) -> Verdict {
    if let ["", "2a" | "2b" | "2y", ..] = stored.split('$').collect::<Vec<_>>()[..] {
        // bcrypt sees 72 bytes; the application that this replaces cut longer passwords there.
        return match bcrypt::verify(&password.as_bytes()[..password.len().min(72)], stored) {
            Ok(true) => Verdict::RightButOld,
            Ok(false) => Verdict::Wrong,
            Err(error) => {
                tracing::warn!(%error, "a stored bcrypt hash can't be read");
                Verdict::Wrong
            }
        };
    }
    match PasswordHash::new(stored) {
        Ok(parsed) => {
            let verified = Argon2::default().verify_password(password.as_bytes(), &parsed);
            if verified.is_ok() { Verdict::Right } else { Verdict::Wrong }
        }
        Err(error) => {
            tracing::warn!(%error, "a stored password hash is of no known kind");
            Verdict::Wrong
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn() -> Turn {
        Turn::new(crate::auth::Lane::Login, std::net::Ipv4Addr::LOCALHOST.into())
    }

    #[test]
    fn the_decoy_costs_what_a_new_hash_costs() {
        let parameters = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(DECOY), parameters(&hash("a password")));
        assert!(PasswordHash::new(DECOY).is_ok());
    }

    #[tokio::test]
    async fn new_and_imported_hashes_verify() {
        let passwords = Passwords::new(NonZeroUsize::MIN);
        let hash = passwords.hash("s3cret pass".into(), turn()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify =
            |password: &str, hash: &str| passwords.verify(password.into(), Some(hash.into()), turn());
        assert_eq!(verify("s3cret pass", &hash).await, Ok(Verdict::Right));
        assert_eq!(verify("other", &hash).await, Ok(Verdict::Wrong));
        let old = bcrypt::hash("s3cret pass", 4).unwrap();
        for prefix in ["$2a$", "$2b$"] {
            let old = format!("{prefix}{}", &old[4..]);
            assert_eq!(verify("s3cret pass", &old).await, Ok(Verdict::RightButOld), "{old}");
            assert_eq!(verify("other", &old).await, Ok(Verdict::Wrong));
        }
        for broken in ["", "x", "$2b$", "$argon2id$"] {
            assert_eq!(verify("s3cret pass", broken).await, Ok(Verdict::Wrong), "{broken}");
        }
        assert_eq!(passwords.verify("x".into(), None, turn()).await, Ok(Verdict::Wrong));
    }

    #[tokio::test]
    async fn a_password_is_the_same_from_any_keyboard() {
        let passwords = Passwords::new(NonZeroUsize::MIN);
        let (composed, decomposed) = ("contrase\u{f1}a caf\u{e9}", "contrasen\u{303}a cafe\u{301}");
        let made = passwords.hash(decomposed.into(), turn()).await.unwrap();
        for typed in [composed, decomposed] {
            assert_eq!(
                passwords.verify(typed.into(), Some(made.clone()), turn()).await,
                Ok(Verdict::Right),
                "{typed:?}"
            );
        }
        // As an import brings them: made of what one keyboard sent.
        for registered in [composed, decomposed] {
            let imported = bcrypt::hash(registered, 4).unwrap();
            for typed in [composed, decomposed] {
                let verdict = passwords.verify(typed.into(), Some(imported.clone()), turn()).await;
                assert_eq!(verdict, Ok(Verdict::RightButOld), "{registered:?} {typed:?}");
            }
        }
        assert_eq!(passwords.verify("contrasena cafe".into(), Some(made), turn()).await, Ok(Verdict::Wrong));
        assert_eq!(spellings("plain").len(), 1);
        assert_eq!(passwords.verify(composed.into(), None, turn()).await, Ok(Verdict::Wrong));
    }
}
