//! Words for synthetic tweets: what people write about cloud marketplaces and about their day.

use super::places::City;
use super::random::Random;

/// A cloud marketplace, as people write it.
pub(super) struct Marketplace {
    pub(super) name: &'static str,
    written: &'static [&'static str],
    tags: &'static [&'static str],
}

pub(super) const MARKETPLACES: &[Marketplace] = &[
    Marketplace {
        name: "AWS",
        written: &["AWS Marketplace", "@awsmarketplace AWS Marketplace", "#AWS Marketplace"],
        tags: &["#AWS", "#AWSMarketplace", "#reInvent", "#AmazonWebServices", "#EC2"],
    },
    Marketplace {
        name: "Azure",
        written: &["Azure Marketplace", "Microsoft Azure Marketplace", "#Azure Marketplace"],
        tags: &["#Azure", "#AzureMarketplace", "#Microsoft", "#MSIgnite", "#AKS"],
    },
    Marketplace {
        name: "GCP",
        written: &["Google Cloud Marketplace", "GCP Marketplace"],
        tags: &["#GoogleCloud", "#GCP", "#GKE", "#GoogleCloudMarketplace"],
    },
];

/// Picks a marketplace at random, most often AWS.
pub(super) fn marketplace(random: &mut Random) -> &'static Marketplace {
    match random.below(100) {
        0..66 => &MARKETPLACES[0],
        66..92 => &MARKETPLACES[1],
        _ => &MARKETPLACES[2],
    }
}

/// A language, and what people write in it. `{m}` stands for a marketplace, `{c}` for a city, `{p}`
/// for a product and `{u}` for a user; those that begin with `-` are complaints.
pub(super) struct Language {
    pub(super) tag: &'static str,
    /// How many tweets are in this language, relative to the shares of the others.
    share: usize,
    about_marketplaces: &'static [&'static str],
    about_the_day: &'static [&'static str],
}

const LANGUAGES: &[Language] = &[
    Language {
        tag: "en",
        share: 60,
        about_marketplaces: &[
            "Excited to announce that {p} is now available on {m}! Deploy it in minutes and pay only for what you use.",
            "We just listed {p} on {m} & the onboarding was surprisingly smooth. Great work by the partner team",
            "Buying {p} through {m} saved us weeks of procurement. So happy with it",
            "-Has anyone managed to get private offers on {m} to work? The console keeps failing, really frustrating.",
            "-{m} fees are ridiculous. We don't love giving away a cut of every renewal",
            "Join our webinar on how to sell through {m} with {u}",
            "New on {m}: {p} for data teams. Free trial for 14 days",
            "-The search on {m} is terrible, I can never find the right AMI",
            "Top 10 security products on {m}, {p} among them. Proud of the team",
            "Q&A with {u}: why {p} chose {m} and what they'd do differently",
            "Can't believe how good {p} is. Installed it from {m} and it isn't even expensive",
            "-Our {m} listing has been stuck in review for 3 weeks... not good",
            "-Is it just me or did {m} lose all my subscriptions?? Worst Monday ever",
            "{p} won partner of the year on {m}. Congratulations to everybody in {c}!",
            "How to publish a container product on {m}, step by step:\n\n1. package it\n2. test it\n3. submit it",
            "Watching the {m} keynote from {c}. Interesting roadmap",
        ],
        about_the_day: &[
            "Good morning {c}! The coffee here is wonderful",
            "-Stuck in traffic again. I hate Mondays",
            "What a match!!! Best evening in {c} in years",
            "Lovely walk along the river today, feeling grateful",
            "-My train is late AGAIN. Thanks for nothing",
            "Does anybody know a good place for lunch in {c}?",
            "Just posted a photo @ {c}",
            "I'm at the airport in {c}",
            "New album is out and it is amazing, thank you {u}",
            "-Rain, rain, rain. {c} is not fun in February",
            "-Nobody told me that the deadline moved. Awful day",
            "Happy birthday {u}! Have a great one",
            "Reading about data lakes tonight. Any tips?",
            "-The new phone isn't bad, but the battery is a joke",
        ],
    },
    Language {
        tag: "es",
        share: 10,
        about_marketplaces: &[
            "¡{p} ya está disponible en {m}! Gracias al equipo de {c}",
            "¿Alguien ha vendido software por {m}? Busco consejos",
            "-No me gusta nada la nueva consola de {m}",
        ],
        about_the_day: &[
            "Buenos días desde {c}",
            "Qué partidazo, vamos!!!",
            "-Otra vez lloviendo en {c}, qué pena",
        ],
    },
    Language {
        tag: "pt",
        share: 6,
        about_marketplaces: &[
            "{p} agora no {m}, que orgulho do time!",
            "-Alguém mais com problema no {m} hoje?",
        ],
        about_the_day: &["Bom dia {c}!", "que saudade de {c}", "-Não aguento mais esse calor"],
    },
    Language {
        tag: "de",
        share: 5,
        about_marketplaces: &[
            "{p} gibt es jetzt im {m}. Großartig!",
            "-Die Gebühren im {m} sind viel zu hoch",
        ],
        about_the_day: &[
            "Guten Morgen {c}",
            "-Die Bahn ist schon wieder zu spät",
            "Schöner Abend in {c} gewesen",
        ],
    },
    Language {
        tag: "fr",
        share: 4,
        about_marketplaces: &[
            "{p} est disponible sur {m} dès aujourd'hui",
            "-Déçu par {m}, le support ne répond pas",
        ],
        about_the_day: &[
            "Bonjour {c}",
            "Quelle belle journée à {c}",
            "-Encore une grève, c'est pas possible",
        ],
    },
    Language {
        tag: "ja",
        share: 7,
        about_marketplaces: &[
            "{m} で {p} が使えるようになりました。",
            "{m} のプライベートオファー、便利ですね",
        ],
        about_the_day: &["おはようございます、{c}は晴れです", "-今日も電車が遅れてる…", "{c}なう"],
    },
    Language {
        tag: "ko",
        share: 3,
        about_marketplaces: &["{m}에서 {p} 출시했습니다. 감사합니다"],
        about_the_day: &["{c} 날씨 너무 좋다", "-오늘도 야근..."],
    },
    Language {
        tag: "ar",
        share: 3,
        about_marketplaces: &["أصبح {p} متاحا الآن على {m}"],
        about_the_day: &["صباح الخير من {c}", "الحمد لله على كل حال"],
    },
    Language {
        tag: "hi",
        share: 2,
        about_marketplaces: &["{p} अब {m} पर उपलब्ध है"],
        about_the_day: &["{c} से सुप्रभात", "आज बहुत गर्मी है"],
    },
];

const PRODUCTS: &[&str] = &[
    "Lakehouse One",
    "Cloudwatcher",
    "Ordinary Search",
    "Red Panda Linux",
    "StreamForge",
    "SentryGate",
    "VectorBase",
    "Kubefleet",
    "CostPilot",
    "Papertrail Pro",
    "GraphNest",
    "BackupBee",
    "Tidepool ETL",
    "MailRiver",
    "EdgeShield",
];

const TOPICS: &[&str] = &[
    "#cloud",
    "#SaaS",
    "#DevOps",
    "#Kubernetes",
    "#datalake",
    "#MachineLearning",
    "#cybersecurity",
    "#startup",
    "#opensource",
    "#BigData",
    "#serverless",
    "#FinOps",
];

const DAY_TOPICS: &[&str] = &[
    "#love",
    "#travel",
    "#music",
    "#football",
    "#foodie",
    "#photo",
    "#MondayMotivation",
    "#news",
    "#nowplaying",
];

const EMOJI: &[&str] = &[
    "🚀",
    "🎉",
    "😍",
    "👍🏽",
    "❤️",
    "😂",
    "🔥",
    "🙏",
    "🤔",
    "✨",
    "☁️",
    ":)",
    ":-)",
    "<3",
    "🥳",
    "👩‍💻",
    "🇪🇺",
    "🫶",
    "💪",
];

const EMOJI_OF_COMPLAINTS: &[&str] =
    &["😡", "👎", "😞", "💔", ":(", "🤦‍♀️", "😭", "😅", "🙄", ":/", "🤔", "😩", "🫠"];

pub(super) const FIRST_NAMES: &[&str] = &[
    "ada", "ben", "chioma", "diego", "elif", "fatima", "george", "hana", "ines", "jonas", "kofi",
    "lena", "mei", "nadia", "omar", "priya", "quinn", "rosa", "sven", "tariq", "uma", "viktor",
    "wanda", "ximena", "yuki", "zoe", "cloud", "data", "saas", "devops", "startup",
];

pub(super) const LAST_NAMES: &[&str] = &[
    "okafor", "garcia", "novak", "tanaka", "schmidt", "silva", "kim", "hassan", "martin", "rossi",
    "kaya", "singh", "larsen", "dubois", "smith", "news", "labs", "daily", "weekly", "hq",
];

/// Picks a language at random, weighted by [`Language::share`].
pub(super) fn language(random: &mut Random) -> &'static Language {
    let mut rest = random.below(LANGUAGES.iter().map(|language| language.share).sum());
    for language in LANGUAGES {
        if rest < language.share {
            return language;
        }
        rest -= language.share;
    }
    &LANGUAGES[0]
}

/// Writes a random tweet; if a marketplace is given, the tweet is about it.
pub(super) fn write(
    random: &mut Random,
    language: &'static Language,
    marketplace: Option<&'static Marketplace>,
    city: Option<&'static City>,
) -> String {
    let pattern = match marketplace {
        Some(_) => random.word(language.about_marketplaces),
        None => random.word(language.about_the_day),
    };
    let (is_complaint, mut rest) = match pattern.strip_prefix('-') {
        Some(complaint) => (true, complaint),
        None => (false, pattern),
    };
    let mut text = String::with_capacity(200);
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        match &rest[at..at + 3] {
            "{m}" => text
                .push_str(marketplace.map_or("", |marketplace| random.word(marketplace.written))),
            "{c}" => text.push_str(city.map_or("town", |city| city.name)),
            "{p}" => text.push_str(random.word(PRODUCTS)),
            _ => {
                text.push('@');
                text.push_str(random.word(FIRST_NAMES));
                text.push_str(random.word(LAST_NAMES));
            }
        }
        rest = &rest[at + 3..];
    }
    text.push_str(rest);
    if random.chance(45) {
        text.push(' ');
        text.push_str(random.word(if is_complaint { EMOJI_OF_COMPLAINTS } else { EMOJI }));
    }
    for _ in 0..random.below(4) {
        text.push(' ');
        let tags = match marketplace {
            Some(marketplace) if random.chance(50) => marketplace.tags,
            Some(_) => TOPICS,
            None => DAY_TOPICS,
        };
        text.push_str(random.word(tags));
    }
    if marketplace.is_some() || random.chance(20) {
        text.push_str(" https://t.co/");
        for _ in 0..10 {
            let letters = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
            text.push(char::from(letters[random.below(letters.len())]));
        }
    }
    text
}
