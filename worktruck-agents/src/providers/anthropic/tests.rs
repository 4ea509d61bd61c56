use super::*;

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
