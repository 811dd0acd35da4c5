//! The TLS policies that the cloud has for listeners.

/// One TLS policy of the cloud.
#[derive(Debug)]
pub struct TlsPolicy {
    /// What a listener names it by.
    pub id: &'static str,
    /// Versions a client may speak.
    pub versions: &'static [&'static str],
    /// Ciphers a client may ask for, by the names that OpenSSL has for them.
    pub ciphers: &'static [&'static [&'static str]],
}

/// With forward secrecy and authenticated encryption or SHA-2.
const STRICT: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
];
/// Without forward secrecy.
const COMPATIBLE: &[&str] = &[
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA256",
    "AES256-SHA256",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];
/// Of TLS 1.3.
const MODERN: &[&str] = &[
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
];

/// Every one of them.
pub const ALL: &[TlsPolicy] = &[
    TlsPolicy {
        id: "tls_cipher_policy_1_0",
        versions: &["TLSv1.0", "TLSv1.1", "TLSv1.2"],
        ciphers: &[STRICT, COMPATIBLE],
    },
    TlsPolicy {
        id: "tls_cipher_policy_1_1",
        versions: &["TLSv1.1", "TLSv1.2"],
        ciphers: &[STRICT, COMPATIBLE],
    },
    TlsPolicy { id: "tls_cipher_policy_1_2", versions: &["TLSv1.2"], ciphers: &[STRICT, COMPATIBLE] },
    TlsPolicy { id: "tls_cipher_policy_1_2_strict", versions: &["TLSv1.2"], ciphers: &[STRICT] },
    TlsPolicy {
        id: "tls_cipher_policy_1_2_strict_with_1_3",
        versions: &["TLSv1.2", "TLSv1.3"],
        ciphers: &[MODERN, STRICT],
    },
    TlsPolicy {
        id: "tls_cipher_policy_1_0_to_1_3",
        versions: &["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
        ciphers: &[MODERN, STRICT, COMPATIBLE],
    },
];

/// The policy with this id.
pub fn find(id: &str) -> Option<&'static TlsPolicy> {
    ALL.iter().find(|policy| policy.id == id)
}
