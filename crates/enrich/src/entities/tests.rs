//! The cases of `twitter-text`'s conformance suite that a document can hold, as a table of our own, and some more.

use super::*;

#[track_caller]
fn check(text: &str, hashtags: &[&str], mentions: &[&str], cashtags: &[&str], urls: &[&str]) {
    let found = find(text);
    assert_eq!(found.hashtags, hashtags, "{text}");
    assert_eq!(found.mentions, mentions, "{text}");
    assert_eq!(found.cashtags, cashtags, "{text}");
    assert_eq!(found.urls, urls, "{text}");
}
#[test]
fn hashtags_follow_twitter_text() {
    check(
        "#AWS,#Azure #1 #2nd #été #日本語 ＃full",
        &["AWS", "Azure", "2nd", "été", "日本語", "full"],
        &[],
        &[],
        &[],
    );
    check("a#b &#39; #a#b #c://x #️⃣", &[], &[], &[], &[]);
    check("#snake_case #don't #üñ #हिन्दी", &["snake_case", "don", "üñ", "हिन्दी"], &[], &[], &[]);
}

#[test]
fn mentions_follow_twitter_text() {
    check("@jack, (@biz) RT@ev .@a x@mail.com @@b", &[], &["jack", "biz", "ev", "a"], &[], &[]);
    check("＠wide @é @aé RT: @c @d@e", &[], &["wide", "c"], &[], &[]);
}

#[test]
fn cashtags_follow_twitter_text() {
    check("$AMZN $brk.a $5 US$ $TOOLONGER x$A $A,", &[], &[], &["AMZN", "brk.a", "A"], &[]);
}

#[test]
fn a_domain_is_a_link_s_host() {
    for (url, expected) in [
        ("https://www.Example.com:8080/a?b", Some("example.com")),
        ("http://user@x.org", Some("x.org")),
        ("https://t.co/abc", None),
        ("http://localhost/", None),
    ] {
        assert_eq!(domain(url).as_deref(), expected, "{url}");
    }
}

#[track_caller]
fn check_urls(cases: &[(&str, &[&str])]) {
    for (text, urls) in cases {
        assert_eq!(find(text).urls, *urls, "{text:?}");
    }
}

#[test]
fn links_with_a_scheme_follow_twitter_text() {
    check_urls(&[
        ("http://example.com", &["http://example.com"]),
        ("(HTTPS://Example.com)", &["HTTPS://Example.com"]),
        ("see http://example.com/#", &["http://example.com/#"]),
        (
            "http://example.com/#search?q=iphone%20-filter%3Alinks",
            &["http://example.com/#search?q=iphone%20-filter%3Alinks"],
        ),
        (
            "http://example.com/index.php?path=/abc/def/",
            &["http://example.com/index.php?path=/abc/def/"],
        ),
        ("http://somehost.com:3000 http://a.b.cd", &["http://somehost.com:3000", "http://a.b.cd"]),
        ("http://xo.com/~matthew+%ff-,.;x", &["http://xo.com/~matthew+%ff-,.;x"]),
        (
            "http://en.wikipedia.org/wiki/Primer_(film)",
            &["http://en.wikipedia.org/wiki/Primer_(film)"],
        ),
        (
            "(http://en.wikipedia.org/wiki/Primer_(film))",
            &["http://en.wikipedia.org/wiki/Primer_(film)"],
        ),
        (
            "http://x.com/a_(b_(c)_d)e http://x.com/a_()",
            &["http://x.com/a_(b_(c)_d)e", "http://x.com/a_"],
        ),
        (
            "http://msdn.microsoft.com/net.request(v=VS.100).aspx",
            &["http://msdn.microsoft.com/net.request(v=VS.100).aspx"],
        ),
        (
            "http://✪df.ws/ejp http://ああ.com http://あ-あ.com",
            &["http://✪df.ws/ejp", "http://ああ.com", "http://あ-あ.com"],
        ),
        ("http://example.comだよね.comtest/hogehoge", &["http://example.com"]),
        (
            "http://chilp.it/?77e8fd http://foo.com?#foo text",
            &["http://chilp.it/?77e8fd", "http://foo.com?#foo"],
        ),
        (
            "https://www.youtube.com/watch?v=LOx&list=PLPoq-",
            &["https://www.youtube.com/watch?v=LOx&list=PLPoq-"],
        ),
        ("http://no-tld http://tld-too-short.x http://twitter.c_o_m", &[]),
        ("http://domain.com-that-you-should-have-put-a-space-after", &["http://domain.com"]),
        (
            "http://foo.jp http://word-and-a-number-8-ftw.domain.com/",
            &["http://foo.jp", "http://word-and-a-number-8-ftw.domain.com/"],
        ),
        (
            "http://example.com/a+ or http://example.com/a-",
            &["http://example.com/a+", "http://example.com/a-"],
        ),
        (
            "http://example.com/view/slug-url-?foo=bar",
            &["http://example.com/view/slug-url-?foo=bar"],
        ),
        (
            "https://en.wikipedia.org/wiki/Hatfield–McCoy_feud please",
            &["https://en.wikipedia.org/wiki/Hatfield–McCoy_feud"],
        ),
        ("http://twitter.com/Русские_слова", &["http://twitter.com/Русские_слова"]),
        (
            "http://www.foo.com/a/path-with-period./ http://foo.com/123/foo_&_bar/",
            &["http://www.foo.com/a/path-with-period./", "http://foo.com/123/foo_&_bar/"],
        ),
        (
            "http://www.foo.com/some.stm?param1=foo;param2=P1|0||P2|0",
            &["http://www.foo.com/some.stm?param1=foo;param2=P1|0||P2|0"],
        ),
        (
            "http://tn.com.ar/show?fb_xd_fragment#?=&cb=fe17&ackdata text",
            &["http://tn.com.ar/show?fb_xd_fragment#?=&cb=fe17&ackdata"],
        ),
        (
            "http://xn--ls8h.XN--ls8h.la/ http://xn--はじめよう.com/index.html",
            &["http://xn--ls8h.XN--ls8h.la/"],
        ),
        (
            "http://foobar.みんな/ http://foobar.中国/ http://foobar.پاکستان/",
            &["http://foobar.みんな/", "http://foobar.中国/", "http://foobar.پاکستان/"],
        ),
        (
            "http://www.foo.com?referer=https://t.co/abcde http://t.co/xyzzy",
            &["http://www.foo.com?referer=https://t.co/abcde", "http://t.co/xyzzy"],
        ),
        (
            "http://twitter.com\nhttp://example.com/path",
            &["http://twitter.com", "http://example.com/path"],
        ),
        ("$http://twitter.com #http://test.com @http://test.com", &[]),
        (
            "\u{2066}\u{202A}abcdef.com پاکستان http://twitter.com/\u{202C}\u{2069}",
            &["abcdef.com", "http://twitter.com/"],
        ),
    ]);
    let too_long = format!("http://{}.com/index.html", "あ".repeat(200));
    check_urls(&[(&too_long, &[])]);
}

#[test]
fn host_names_have_dashes_and_subdomains_underscores_but_only_inside() {
    check_urls(&[
        (
            "http://sub_domain-dash.twitter.com http://a_b.c-d.com",
            &["http://sub_domain-dash.twitter.com", "http://a_b.c-d.com"],
        ),
        ("http://-leading.twitter.com http://trailing-.twitter.com", &[]),
        ("http://leading.-twitter.com http://trailing.twitter-.com", &[]),
        ("http://_leading.twitter.com http://trailing_.twitter.com", &[]),
        ("http://leading._twitter.com http://trailing.twitter_.com", &[]),
        ("http://-twitter.com http://twitter-.com http://twitter_underscore.com", &[]),
        ("http://domain-dash_2314352345_dfasd.foo-cow_4352.com", &[]),
    ]);
}

#[test]
fn links_end_where_their_sentence_does() {
    check_urls(&[
        (
            "see https://example.com/abc. (http://x.org/a#b)",
            &["https://example.com/abc", "http://x.org/a#b"],
        ),
        ("http://twitter.com/. http://t.co/a…", &["http://twitter.com/", "http://t.co/a"]),
        ("http:// nohttps://x.y", &[]),
        ("http:// example.com/path", &["example.com/path"]),
        ("http://\u{A0}example.com/path", &["example.com/path"]),
    ]);
    for mark in [".", ",", "!"] {
        let text = format!("a ton of http://example.com/path{}", mark.repeat(5_000));
        check_urls(&[(&text, &["http://example.com/path"])]);
    }
}

#[test]
fn links_of_t_co_are_letters_and_digits() {
    check_urls(&[
        ("https://t.co/abcDEF12を見て", &["https://t.co/abcDEF12"]),
        (
            "http://t.co/pbY2NfTZ's http://t.co/2vYHpAc5; http://t.co/ulYGBYSo:",
            &["http://t.co/pbY2NfTZ", "http://t.co/2vYHpAc5", "http://t.co/ulYGBYSo"],
        ),
        (
            "http://t.co/8MkmHU0k+c http://t.co/TKLp64dY.x http://t.co/8t7G3ddS#a http://t.co/FNkPfmii-",
            &[
                "http://t.co/8MkmHU0k",
                "http://t.co/TKLp64dY",
                "http://t.co/8t7G3ddS",
                "http://t.co/FNkPfmii",
            ],
        ),
        (
            "https://t.co/UqIyJAJTfo?amp=1 https://t.co/asdfdf?a=b#123",
            &["https://t.co/UqIyJAJTfo?amp=1", "https://t.co/asdfdf?a=b#123"],
        ),
        ("http://t.co http://t.co", &["http://t.co", "http://t.co"]),
        (
            "http://t.co/abcdefghijklmnopqrstuvwxyz0123456789",
            &["http://t.co/abcdefghijklmnopqrstuvwxyz0123456789"],
        ),
        ("http://t.co/abcdefghijklmnopqrstuvwxyz012345678901234", &[]),
    ]);
}

#[test]
fn links_without_a_scheme_have_a_top_level_domain_that_exists() {
    check_urls(&[
        (
            "foo.com foo.net foo.org foo.edu foo.gov",
            &["foo.com", "foo.net", "foo.org", "foo.edu", "foo.gov"],
        ),
        (
            "foo.baz foo.co.jp www.xxxxxxx.baz www.foo.co.uk wwwww.xxxxxxx foo.comm foo.govedu foo.jp",
            &["foo.co.jp", "www.foo.co.uk", "foo.jp"],
        ),
        (
            "t.co/abcde bit.ly/abcde it.so\nit.so/abcde",
            &["t.co/abcde", "bit.ly/abcde", "it.so", "it.so/abcde"],
        ),
        (
            "MLB.tv vine.co twitch.tv t.co ELPAÍS.com",
            &["MLB.tv", "vine.co", "twitch.tv", "t.co", "ELPAÍS.com"],
        ),
        ("long.test.tar.bz2 test.tar.bz2 tar.bz2", &[]),
        ("john.doe.gov@mail.com john.doe.jp@mail.com", &[]),
        ("#test.com @test.com #t.co/abcde @t.co/abcde $twitter.com $t.co $TVI.CA", &[]),
        ("The end. Next sentence... v1.2.3 3.14 e.g. this", &[]),
    ]);
}

#[test]
fn links_are_found_within_scripts_that_have_no_spaces() {
    check_urls(&[
        (
            "これは日本語です。example.com/path/index.html中国語example.com/path한국",
            &["example.com/path/index.html", "example.com/path"],
        ),
        (
            "twitter.comこれは日本語です。example.com中国語t.co/abcde한국twitter.com example2.comテストtwitter.com/abcde",
            &[
                "twitter.com",
                "example.com",
                "t.co/abcde",
                "twitter.com",
                "example2.com",
                "twitter.com/abcde",
            ],
        ),
        (
            "http://twitter.com/これは日本語です。example.com中国語http://t.co/abcde한국twitter.comテストexample2.com",
            &[
                "http://twitter.com/",
                "example.com",
                "http://t.co/abcde",
                "twitter.com",
                "example2.com",
            ],
        ),
        ("twitter.jp日本語it.so中国語foo.jp it.so", &["twitter.jp", "it.so", "foo.jp", "it.so"]),
        ("example.comてすとですtwitter.みんなです", &["example.com", "twitter.みんな"]),
    ]);
}

#[test]
fn what_is_in_a_link_is_no_tag() {
    check(
        "http://twitter.com/#hashtag twitter.com/#hashtag",
        &[],
        &[],
        &[],
        &["http://twitter.com/#hashtag", "twitter.com/#hashtag"],
    );
    check("#http://twitter.com #https://twitter.com", &[], &[], &[], &[]);
}

#[test]
fn tags_of_all_scripts_follow_twitter_text() {
    for tags in [
        "트위터 ﾣﾦﾰ ашок カタカナ ひらがな 漢字 日本語ハッシュタグ ｈａｓｈｔａｇ１２３ サッカー ｻｯｶｰ ﾊｯｼｭﾀｸﾞ ﾊﾟﾋﾟﾌﾟﾍﾟﾎﾟ",
        "云々 学問のすゝめ いすゞ 各〻 各〃 メ～テレ メ〜テレ",
        "Ateş qrşt ş İn ın Azərbaycanca mûǁae Čeština Ċaoiṁín il·lusió",
        "سیاست السياسة برنامه_نویسی أيبيإم می‌خواهم ۳۴۵هشتگ ســـلام_عليكم_٤٠٦ עַל־יְדֵי וכו׳ מ״כ",
        "ผู้เริ่ม ኢትዮሙስሊምስ ශ්‍රීලංකා महात्मा_१२३४ বাংলা ગુજરાતી ಕನ್ನಡ മലയാളം ଓଡ଼ିଆ ਪੰਜਾਬੀ සිංහල தமிழ் తెలుగు",
        "བོད་སྐད་ བོད་སྐད មហាត្មះគន្ធី မြင့်မြတ်သော ຊີວະສາດ Μαχάτμα_Γκάντι Մահաթմա მაჰათმა \u{20021} \u{16f04}\u{16f51} A\u{104a0}",
    ] {
        let tags: Vec<&str> = tags.split(' ').collect();
        check(&format!("#{}", tags.join(" #")), &tags, &[], &[], &[]);
    }
    for text in ["On the #16 bus #0", "# 会議中", "日本語#日本語", "#_ #1_2 #122 #〃", "#१२३४"]
    {
        check(text, &[], &[], &[], &[]);
    }
    for before in ["(", ")", "’", "。", "！", ":", "!", "✌", "✌︎", "✌️", "✌🏿", "👨👩👧"]
    {
        check(&format!("a {before}#tag?"), &["tag"], &[], &[], &[]);
    }
}

#[test]
fn mentions_stand_free_or_after_rt() {
    check(
        "の@usernameに到着 @user_name @12345\n@next",
        &[],
        &["username", "user_name", "12345", "next"],
        &[],
        &[],
    );
    check(
        "Status: @_@ (cc: @username) @aliceìnheiro @test@example.com",
        &[],
        &["username"],
        &[],
        &[],
    );
    for rt in ["RT", "rt", "Rt", "rT"] {
        check(&format!("{rt}@a {rt}:@b {rt} @c"), &[], &["a", "b", "c"], &[], &[]);
    }
    for before in ["!", "@", "#", "$", "%", "&", "*", "x"] {
        check(&format!("f{before}@kn"), &[], &[], &[], &[]);
    }
    check("@username/list-name @http://twitter.com", &[], &["username"], &[], &[]);
}

#[test]
fn cashtags_are_short_and_stand_free() {
    check("$TEST $Stock   $symbol", &[], &[], &["TEST", "Stock", "symbol"], &[]);
    check(
        "$TEST.T $test.tt $Stock_X $symbol_ab",
        &[],
        &[],
        &["TEST.T", "test.tt", "Stock_X", "symbol_ab"],
        &[],
    );
    check("$123 $test123 $TE123ST $ストック $株 $ $. $- $@ $!", &[], &[], &[], &[]);
    check("$TEST. $TEST_", &[], &[], &["TEST", "TEST"], &[]);
    check("$OK$NG$BAD text$NO .$NG $$NG $CashtagMustBeShort", &[], &[], &["OK"], &[]);
}

#[test]
fn a_flood_of_anything_takes_no_longer_than_its_length() {
    for piece in
        ["あ.", "a_", "a-", "http://", "a.", "-a.com", "(", "日本", "#", "t.co/(", "x.みん"]
    {
        find(&piece.repeat(200_000 / piece.len()));
    }
}

/// Each of these takes minutes if what was found out about a text is not kept for the rest of it.
#[test]
fn a_text_of_any_length_is_searched_once() {
    let links = "a.com-.".repeat(100_000);
    assert_eq!(super::url::find_urls(&links).len(), 1, "a link cannot follow another one directly");
    let label = "漢".repeat(300_000) + ".com";
    assert_eq!(super::url::find_urls(&label).len(), 0);
}

#[test]
fn hosts_after_hosts_are_told_apart() {
    for (text, urls) in [
        ("google.com...bbc.co.uk", &["google.com"][..]),
        ("visit foo.co.uk..bar.co.uk", &["foo.co.uk"]),
        ("http://a.com..www.b.com", &["http://a.com"]),
        ("me.To...www.x.com and www.y.co.uk", &["me.To", "www.y.co.uk"]),
        ("http://a.comあa._b.comé.ws", &["http://a.com"]),
        ("www.ﬁ x.рф\u{FE0F}", &["x.рф"]),
    ] {
        check(text, &[], &[], &[], urls);
    }
    let mut random = fastrand::Rng::with_seed(13);
    let pieces = ["a.", "co", "uk", "com", ".", "..", "-", "_", "あ", "é", "www.", "http://", " "];
    for _ in 0..20_000 {
        let text: String = (0..12).filter_map(|_| random.choice(pieces)).collect();
        let found = find(&text).urls;
        assert!(found.iter().all(|url| text.contains(url) && url.contains('.')), "{text}");
    }
}

#[test]
fn a_suffix_or_a_list_that_goes_on_is_none() {
    check("$BTC.X… $BRK.B👍 $BRK_B1", &[], &[], &["BTC", "BRK", "BRK"], &[]);
    check("@u/RT@a @rt@y", &[], &[], &[], &[]);
    check("@jack/devs@ @biz/listé @ev/http://t.co @a/b-c.", &[], &["a"], &[], &["http://t.co"]);
}
