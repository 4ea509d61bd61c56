use super::*;

fn with_base(base_url: &str) -> Result<Anthropic> {
    let options = AnthropicOptions { base_url: base_url.into(), ..AnthropicOptions::default() };
    Anthropic::with_options(Secret::new("sk-ant-api03-abcd"), &options)
}

#[test]
fn a_base_url_is_an_address_and_nothing_else() {
    for (given, used) in [
        ("https://gateway.example", "https://gateway.example"),
        ("https://gateway.example/", "https://gateway.example"),
        ("http://127.0.0.1:8080/anthropic/", "http://127.0.0.1:8080/anthropic"),
    ] {
        assert_eq!(with_base(given).unwrap().base_url, used);
    }
    for refused in [
        "",
        "gateway.example",
        "file:///etc/passwd",
        "unix:/run/model.sock",
        "https://user@gateway.example",
        "https://:hunter2@gateway.example",
        "https://gateway.example?key=hunter2",
        "https://gateway.example#hunter2",
    ] {
        let error = with_base(refused).unwrap_err();
        assert_eq!(error.kind(), worktruck_core::ErrorKind::InvalidRequest, "{refused}");
        assert!(!format!("{} {error:?}", error.chain()).contains("hunter2"), "{error:?}");
    }
}

#[test]
fn the_environment_gives_key_and_address() {
    let from = |variables: &'static [(&str, &str)]| {
        settings(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    };
    let (key, options) = from(&[("ANTHROPIC_API_KEY", " sk-ant\n")]).unwrap();
    assert_eq!((key.expose(), &options), ("sk-ant", &AnthropicOptions::default()));
    let (_, options) = from(&[("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")]).unwrap();
    assert_eq!(options.base_url, "http://127.0.0.1:1");
    let (_, options) = from(&[("ANTHROPIC_API_KEY", "k"), ("ANTHROPIC_BASE_URL", " ")]).unwrap();
    assert_eq!(options, AnthropicOptions::default());
    for without in [&[][..], &[("ANTHROPIC_API_KEY", " ")]] {
        assert!(from(without).unwrap_err().to_string().contains("ANTHROPIC_API_KEY"));
    }
}

#[test]
fn a_key_that_no_header_can_carry_is_invalid() {
    let error = headers(&Secret::new("sk-ant\r\nx-injected: yes")).unwrap_err();
    assert_eq!(error.category, ModelErrorCategory::InvalidKey);
    assert!(!format!("{error} {error:?}").contains("injected"));
    assert!(!format!("{:?}", headers(&Secret::new("sk-ant-api03-abcd")).unwrap()).contains("abcd"));
}
