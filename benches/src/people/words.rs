//! Ordinary names of people, streets and towns.

pub(crate) const WOMEN: &[&str] = &[
    "Mary", "Elizabeth", "Sarah", "Margaret", "Susan", "Jennifer", "Patricia", "Catherine", "Emma", "Laura", "Anna",
    "Julia", "Rebecca", "Christine", "Deborah", "Barbara", "Victoria", "Samantha", "Alexandra", "Nicole", "Charlotte",
    "Hannah", "Amelia", "Sophia", "Isabella", "Fatima", "Aisha", "Priya", "Mei", "Yuki", "Ingrid", "Katarina", "Lucia",
    "Carmen", "Paloma", "Chiara", "Giulia", "Amélie", "Chloé", "Zoë", "Greta", "Heike", "Monika", "Renate", "Birgit",
    "Olga", "Svetlana", "Zofia", "Agnieszka", "Leila", "Noor", "Amina", "Chioma", "Ngozi", "Thandiwe", "Siobhan",
    "Aoife", "Fiona", "Gwen", "Bronwen", "Rosalind", "Beatrice", "Harriet", "Josephine", "Gabrielle", "Madeline",
    "Penelope", "Theresa", "Dorothy", "Frances", "Virginia", "Pamela", "Janet", "Judith", "Martha", "Ruth", "Esther",
    "Naomi", "Miriam", "Claire", "Eleanor", "Grace", "Stella", "Ivy", "Hazel", "Daphne", "Tamara", "Vanessa", "Yvonne",
    "Zara",
];

pub(crate) const MEN: &[&str] = &[
    "James", "John", "Robert", "Michael", "William", "David", "Richard", "Thomas", "Charles", "Daniel", "Matthew",
    "Anthony", "Edward", "Joseph", "Benjamin", "Samuel", "Alexander", "Andrew", "Christopher", "Nicholas", "Jonathan",
    "Timothy", "Stephen", "Gregory", "Patrick", "Peter", "Frederick", "Lawrence", "Raymond", "Gerald", "Henry",
    "Arthur", "George", "Oliver", "Leonard", "Mohammed", "Ahmed", "Omar", "Rajesh", "Arjun", "Vikram", "Wei", "Hiroshi",
    "Kenji", "Minh", "Lars", "Sven", "Björn", "Jürgen", "Matthias", "Wolfgang", "Dieter", "Klaus", "Pierre", "Étienne",
    "Luca", "Marco", "Giovanni", "Javier", "Diego", "Pablo", "Rafael", "João", "Tiago", "Piotr", "Wojciech", "Dmitri",
    "Ivan", "Bogdan", "Kwame", "Chidi", "Tunde", "Sipho", "Declan", "Ciaran", "Angus", "Callum", "Rhys", "Owen",
    "Dominic", "Vincent", "Walter", "Theodore", "Zachary", "Nathaniel", "Reginald", "Desmond", "Felix", "Hugo",
    "Jasper",
];

pub(crate) const FAMILIES: &[&str] = &[
    "Smith", "Jones", "Williams", "Brown", "Taylor", "Davies", "Wilson", "Evans", "Thomas", "Johnson", "Roberts",
    "Walker", "Wright", "Robinson", "Thompson", "White", "Hughes", "Edwards", "Green", "Hall", "Wood", "Harris",
    "Lewis", "Martin", "Jackson", "Clarke", "Clark", "Turner", "Hill", "Scott", "Cooper", "Morris", "Ward", "Moore",
    "King", "Watson", "Baker", "Harrison", "Morgan", "Patel", "Young", "Allen", "Mitchell", "Anderson", "Lee",
    "Phillips", "Garcia", "Martinez", "Rodriguez", "Lopez", "Gonzalez", "Hernandez", "Ramirez", "Flores", "Nguyen",
    "Tran", "Pham", "Chen", "Wang", "Zhang", "Liu", "Kim", "Park", "Choi", "Tanaka", "Suzuki", "Watanabe", "Singh",
    "Sharma", "Gupta", "Khan", "Hussain", "Ali", "Rahman", "Okafor", "Adeyemi", "Mensah", "Dlamini", "Nkosi", "Müller",
    "Schmidt", "Schneider", "Fischer", "Weber", "Wagner", "Becker", "Hoffmann", "Schäfer", "Koch", "Richter", "Klein",
    "Dubois", "Lefèvre", "Moreau", "Laurent", "Rossi", "Ferrari", "Esposito", "Bianchi", "Romano", "Silva", "Santos",
    "Pereira", "Costa", "Kowalski", "Nowak", "Wiśniewski", "Novák", "Horváth", "Ivanov", "Petrov", "Jansen", "de Vries",
    "van Dijk", "Andersson", "Johansson", "Hansen", "Nielsen", "O'Brien", "O'Connor", "Murphy", "Kelly", "Byrne", "Ryan",
    "MacDonald", "Campbell", "Stewart", "Fraser",
];

/// Beginnings and endings of further family names.
pub(crate) const FAMILY_STARTS: &[&str] = &[
    "Ash", "Black", "Brad", "Brook", "Burn", "Cal", "Chat", "Clay", "Cor", "Cran", "Dal", "Den", "Dray", "East", "Ell",
    "Fair", "Farn", "Gar", "Glen", "Had", "Hart", "Haw", "Hol", "Ing", "Kel", "Kirk", "Lang", "Lin", "Mar", "Mel", "Nor",
    "Oak", "Pem", "Rad", "Red", "Ros", "Sand", "Sel", "Stan", "Thorn", "Up", "Wal", "West", "Whit", "Win", "Wood",
];

pub(crate) const FAMILY_ENDS: &[&str] = &[
    "ford", "ton", "well", "bury", "field", "ham", "ley", "worth", "wood", "by", "combe", "croft", "den", "land", "man",
    "more", "ridge", "stone", "wick", "son",
];

pub(crate) const STREETS: &[&str] = &[
    "Maple", "Oak", "Cedar", "Elm", "Willow", "Chestnut", "Walnut", "Birch", "Juniper", "Magnolia", "Park", "Lake",
    "Hill", "River", "Sunset", "Highland", "Meadow", "Prospect", "Church", "Mill", "Station", "Victoria", "Albert",
    "Queens", "Kings", "Castle", "Bridge", "Garden", "Orchard", "Spring", "Franklin", "Lincoln", "Madison", "Monroe",
    "Harbour", "Canal", "Market", "College", "Library", "Windmill", "Abbey", "Priory", "Manor", "Granary", "Foundry",
    "Quarry", "Lighthouse", "Heron", "Falcon", "Swallow", "Kestrel", "Badger", "Fox", "Otter", "Primrose", "Bluebell",
    "Heather", "Rowan", "Hawthorn", "Sycamore",
];

pub(crate) const STREET_KINDS: &[&str] = &["Street", "Avenue", "Road", "Lane", "Drive", "Court", "Place", "Close"];

pub(crate) const GERMAN_STREETS: &[&str] = &[
    "Hauptstraße", "Gartenstraße", "Bahnhofstraße", "Lindenallee", "Schulstraße", "Bergweg", "Kirchgasse", "Rosenweg",
    "Mühlenstraße", "Goethestraße", "Schillerstraße", "Am Markt", "Waldweg", "Wiesenweg", "Ringstraße",
];

/// A town: name, region, start of its postal codes, start of its phone numbers.
pub(crate) type TownWords = (&'static str, &'static str, &'static str, &'static str);

pub(crate) const AMERICAN: &[TownWords] = &[
    ("San Francisco", "CA", "941", "415"),
    ("Oakland", "CA", "946", "510"),
    ("Portland", "OR", "972", "503"),
    ("Seattle", "WA", "981", "206"),
    ("Denver", "CO", "802", "303"),
    ("Austin", "TX", "787", "512"),
    ("Chicago", "IL", "606", "312"),
    ("Madison", "WI", "537", "608"),
    ("Boston", "MA", "021", "617"),
    ("Brooklyn", "NY", "112", "718"),
    ("Philadelphia", "PA", "191", "215"),
    ("Atlanta", "GA", "303", "404"),
    ("Nashville", "TN", "372", "615"),
    ("Minneapolis", "MN", "554", "612"),
    ("Santa Fe", "NM", "875", "505"),
    ("Burlington", "VT", "054", "802"),
];

pub(crate) const BRITISH: &[TownWords] = &[
    ("London", "England", "SE", "20 7"),
    ("Manchester", "England", "M", "161 2"),
    ("Leeds", "England", "LS", "113 2"),
    ("Bristol", "England", "BS", "117 9"),
    ("Sheffield", "England", "S", "114 2"),
    ("Edinburgh", "Scotland", "EH", "131 2"),
    ("Glasgow", "Scotland", "G", "141 2"),
    ("Cardiff", "Wales", "CF", "29 2"),
];

pub(crate) const GERMAN: &[TownWords] = &[
    ("Berlin", "Berlin", "10", "30 2"),
    ("Hamburg", "Hamburg", "20", "40 2"),
    ("München", "Bayern", "80", "89 2"),
    ("Köln", "Nordrhein-Westfalen", "50", "221 2"),
    ("Leipzig", "Sachsen", "04", "341 2"),
];

pub(crate) const DOMAINS: &[&str] = &[
    "gmail.com", "outlook.com", "yahoo.com", "icloud.com", "proton.me", "gmx.de", "web.de", "btinternet.com",
    "fastmail.com", "example.org",
];

pub(crate) const COMPANIES: &[&str] = &[
    "Northwind Bakery", "Blue Heron Press", "Copperleaf Energy", "Granite Peak Outfitters", "Lantern Street Clinic",
    "Mosaic Software", "Orchard Lane School", "Pinecrest Dental", "Quayside Logistics", "Redwood Legal",
    "Saltmarsh Seafood", "Tidewater Bank", "Umbra Lighting", "Vesper Hotels", "Willow Creek Farm", "Yarrow Design",
    "Zephyr Bikes", "Harbour City Council", "Kestrel Insurance", "Juniper Studios",
];

pub(crate) const TITLES: &[&str] = &[
    "Teacher", "Nurse", "Engineer", "Accountant", "Carpenter", "Physician", "Lawyer", "Painter", "Writer", "Farmer",
    "Merchant", "Clerk", "Baker", "Architect", "Musician", "Officer", "Manager", "Gardener", "Chemist", "Printer",
];
