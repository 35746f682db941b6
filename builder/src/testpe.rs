//! A tiny PE32+ file that looks like a systemd-stub, for tests.

/// How the stub is laid out.
#[derive(Debug, Clone)]
pub struct StubShape {
    /// Version in `.sdmagic` and `.sbat`.
    pub version: String,
    /// The section table fills the headers, so that one more entry makes them grow.
    pub tight_headers: bool,
    /// Sections are loaded right behind the headers.
    pub low_sections: bool,
}

impl Default for StubShape {
    fn default() -> Self {
        Self { version: "257.9-1".into(), tight_headers: false, low_sections: false }
    }
}

/// Sections `.text`, `.sbat`, `.sdmagic`; does not run, but loads.
pub fn minimal_stub(shape: &StubShape) -> Vec<u8> {
    let magic = format!("#### LoaderInfo: systemd-stub {} ####\0", shape.version);
    let sbat = format!("sbat,1\nsystemd-stub,1,The systemd Developers,systemd,{},x\n", shape.version);
    let sections: [(&str, &[u8]); 3] = [(".text", b"\xc3"), (".sbat", sbat.as_bytes()), (".sdmagic", magic.as_bytes())];
    let lfanew: usize = if shape.tight_headers { 0x80 } else { 0x40 };
    let headers: usize = if shape.tight_headers { 512 } else { 1024 };
    let first: usize = if shape.low_sections { 512 } else { 0x1000 };
    let alignment: usize = if shape.low_sections { 512 } else { 0x1000 };
    let mut pe = vec![0; headers];
    let mut put = |at: usize, bytes: &[u8]| pe[at..at + bytes.len()].copy_from_slice(bytes);
    let le = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    put(0, b"MZ");
    put(0x3c, &le(lfanew));
    put(lfanew, b"PE\0\0\x64\x86");
    put(lfanew + 6, &3u16.to_le_bytes());
    put(lfanew + 8, &le(0x6805_0000)); // TimeDateStamp
    put(lfanew + 20, &240u16.to_le_bytes());
    put(lfanew + 22, &0x22eu16.to_le_bytes());
    let optional = lfanew + 24;
    put(optional, &0x20bu16.to_le_bytes());
    put(optional + 16, &le(first));
    put(optional + 32, &le(alignment));
    put(optional + 36, &le(512));
    put(optional + 44, &257u16.to_le_bytes());
    put(optional + 56, &le(first + 3 * alignment));
    put(optional + 60, &le(headers));
    put(optional + 64, &le(0x1234)); // CheckSum
    put(optional + 68, &10u16.to_le_bytes()); // EFI application
    put(optional + 108, &le(16));
    let mut data = Vec::new();
    for (index, (name, bytes)) in sections.iter().enumerate() {
        let entry = optional + 240 + index * 40;
        put(entry, name.as_bytes());
        put(entry + 8, &le(bytes.len()));
        put(entry + 12, &le(first + index * alignment));
        put(entry + 16, &le(512));
        put(entry + 20, &le(headers + data.len()));
        put(entry + 36, &0x4000_0040u32.to_le_bytes());
        data.extend_from_slice(bytes);
        data.resize((index + 1) * 512, 0);
    }
    pe.extend_from_slice(&data);
    pe
}
