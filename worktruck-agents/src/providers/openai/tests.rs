use super::*;

#[test]
fn the_environment_gives_key_and_address() {
    let from = |variables: &'static [(&str, &str)]| {
        settings(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    };
    let (key, options) = from(&[("OPENAI_API_KEY", " sk-proj\n")]).unwrap();
    assert_eq!((key.unwrap().expose(), &options), ("sk-proj", &OpenAiOptions::default()));
    let (key, options) = from(&[("OPENAI_API_KEY", ""), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")]).unwrap();
    assert_eq!((key.is_none(), options.base_url.as_str()), (true, "http://127.0.0.1:1/v1"));
    assert!(from(&[("OPENAI_BASE_URL", " ")]).unwrap_err().to_string().contains("OPENAI_API_KEY"));
}

#[test]
fn the_limit_of_an_answer_is_named_as_the_server_names_it() {
    for (base_url, limit) in [
        ("https://api.openai.com/v1", TokenLimit::MaxCompletionTokens),
        ("https://acme.openai.azure.com/openai/v1", TokenLimit::MaxCompletionTokens),
        ("https://api.mistral.ai/v1", TokenLimit::MaxTokens),
        ("http://127.0.0.1:11434/v1", TokenLimit::MaxTokens),
    ] {
        assert_eq!(TokenLimit::ByAddress.at(base_url), limit, "{base_url}");
    }
    assert_eq!(TokenLimit::MaxTokens.at("https://api.openai.com/v1"), TokenLimit::MaxTokens);
    assert_eq!(TokenLimit::MaxCompletionTokens.at("http://127.0.0.1/v1"), TokenLimit::MaxCompletionTokens);
}

#[test]
fn a_server_without_a_key_is_sent_none() {
    assert!(!headers(&Secret::new("")).unwrap().contains_key(AUTHORIZATION));
    let headers = headers(&Secret::new("sk-proj-abcd")).unwrap();
    assert_eq!(headers[AUTHORIZATION], "Bearer sk-proj-abcd");
    assert!(!format!("{headers:?}").contains("abcd"));
}
