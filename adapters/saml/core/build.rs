//! Makes the declarations of the C functions and structures that `src/seam/ffi`
//! uses, from the headers that are installed, so that their layout always fits.

use std::env;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/seam/ffi/ffi.h");
    let xmlsec = pkg_config::Config::new().atleast_version("1.2.33").probe("xmlsec1-openssl")?;
    let includes = xmlsec.include_paths.iter().map(|path| format!("-I{}", path.display()));
    let defines = xmlsec.defines.iter().map(|(name, value)| match value {
        Some(value) => format!("-D{name}={value}"),
        None => format!("-D{name}"),
    });
    let bindings = bindgen::Builder::default()
        .header("src/seam/ffi/ffi.h")
        .clang_args(includes.chain(defines))
        .allowlist_function("xml(InitParser|NewParserCtxt|FreeParserCtxt|CtxtReadMemory|StopParser|FreeDoc)")
        .allowlist_function("xmlSAX2(StartElementNs|EndElementNs)")
        .allowlist_function(
            "xml(SetExternalEntityLoader|GetExternalEntityLoader|SetStructuredErrorFunc|ThrDefSetStructuredErrorFunc)",
        )
        .allowlist_function("xml(SetGenericErrorFunc|ThrDefSetGenericErrorFunc)")
        .allowlist_function("xml(C14NExecute|AllocOutputBuffer|OutputBufferClose|OutputBufferGet(Content|Size))")
        .allowlist_function("xml(DocGetRootElement|DocCopyNode|AddChild|AddPrevSibling|AddNextSibling|FreeNode)")
        .allowlist_function("xml(AddID|GetID)")
        .allowlist_function("xmlSecErrors(SetCallback|DefaultCallbackEnableOutput)")
        .allowlist_function("xmlSec(IOCleanupCallbacks|PtrListEmpty|PtrListGetSize|PtrListGetItem)")
        .allowlist_function("xmlSecTransform(IdsGet|IdsRegister)")
        .allowlist_function("xmlSecTransformCtx(Create|Destroy|UriExecute|NodeRead)")
        .allowlist_function("xmlSecTransform(ExclC14N|Enveloped)GetKlass")
        .allowlist_function("xmlSecOpenSSLTransform(Sha|RsaSha|EcdsaSha)(1|256|384|512)GetKlass")
        .allowlist_function("xmlSecOpenSSLAppKeyLoadMemory")
        .allowlist_function("xmlSecKey(Duplicate|Destroy)")
        .allowlist_function("xmlSecDSigCtx(Create|Destroy|Verify|Enable(Reference|Signature)Transform)")
        .allowlist_function("xmlSecDSigReferenceCtxGetPreDigestBuffer")
        .allowlist_function("xmlSecBufferGet(Data|Size)")
        .allowlist_type("xmlSecDSigReferenceCtx|xmlParserErrors|xmlParserOption|xmlC14NMode")
        .allowlist_var("XML_SAX2_MAGIC|XMLSEC_DSIG_FLAGS_STORE_SIGNEDINFO_REFERENCES")
        .allowlist_var("xmlSecTransformUriTypeSameDocument|xmlSecTransformUsageAny")
        .generate_comments(false)
        .layout_tests(false)
        .generate()?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("Cargo did not set OUT_DIR")?);
    bindings.write_to_file(out.join("seam_ffi.rs"))?;
    Ok(())
}
