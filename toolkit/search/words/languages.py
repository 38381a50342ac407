"""The languages whose words the analyser knows: who stems them, and which of them tell no two texts apart.

Stop words are articles, pronouns, prepositions, conjunctions, auxiliaries and question words: short lists, because a
word that is left out here is found nowhere, and a frequent one that stays counts for little by its frequency. A
language without a list has all its words indexed.
"""

STEMMERS = {
    "ar": "arabic", "hy": "armenian", "eu": "basque", "ca": "catalan", "cs": "czech", "da": "danish", "nl": "dutch",
    "en": "english", "eo": "esperanto", "et": "estonian", "fi": "finnish", "fr": "french", "de": "german",
    "el": "greek", "hi": "hindi", "hu": "hungarian", "id": "indonesian", "ga": "irish", "it": "italian",
    "lt": "lithuanian", "ne": "nepali", "no": "norwegian", "nb": "norwegian", "nn": "norwegian", "fa": "persian",
    "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "st": "sesotho",
    "es": "spanish", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""ISO 639-1 code → Snowball's name of the stemmer."""

UNSTEMMED = ("bo", "ja", "km", "ko", "lo", "my", "th", "und", "zh")
"""Languages without a stemmer that are understood all the same: by pairs of characters, or (`und`) word by word."""

ENGLISH_BESIDE = frozenset(("ar", "hy", "el", "hi", "ne", "fa", "ru", "ta", "yi", *UNSTEMMED)) - {"und"}
"""Languages of other scripts than Latin: a word in Latin letters among theirs is taken for English."""

ACRONYMS = {"en": frozenset(("IT", "US", "WHO"))}
"""Words that would be stop words if they were not written in capitals."""

_STOP_WORDS = {
    "en": """
        a about am an and any are as at be been being but by can could did do does doing done for from had has have
        having he her here hers herself him himself his how i if in into is it its itself just me might mine must my
        myself no nor not of on onto or our ours ourselves ought over own please shall she should so some such than
        that the their theirs them themselves then there these they this those through to too us very was we were what
        when where which while who whom whose why will with would you your yours yourself yourselves
        aint arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt mustnt shouldnt wasnt werent wont wouldnt
    """,
    "de": """
        aber als also am an auch auf aus bei bin bis bist da damit dann das dass dein deine dem den denn der des dessen
        die dies diese diesem diesen dieser dieses doch dort du durch ein eine einem einen einer eines er es euch euer
        eure für gegen habe haben hat hatte hatten hier hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ins
        ist ja jede jedem jeden jeder jedes kann können könnte man mein meine mich mir mit muss müssen nach nicht noch
        nun nur ob oder ohne sehr sein seine seinem seinen seiner sich sie sind so soll sollen sollte über um und uns
        unser unsere unter vom von vor wann war waren warum was weil welche welchem welchen welcher welches wenn wer
        werde werden wie wieder will wir wird wo wurde wurden zu zum zur zwischen
    """,
    "fr": """
        à ai au aux avec avait c ce ceci cela ces cet cette chez comme comment d dans de des donc dont du elle elles en
        es est et étaient était être eu eux fait faire il ils j je l la le les leur leurs lui m ma mais me même mes moi
        mon n ne ni nos notre nous on ont ou où par pas peut plus pour pourquoi qu quand que quel quelle quelles quels
        qui quoi s sa sans se sera ses si soi son sont sous suis sur t ta te tes toi ton tu un une vos votre vous y
    """,
    "es": """
        a al algo ante como cómo con cual cuál cuales cuando cuándo de del desde donde dónde el él ella ellas ellos en
        entre era eran es esa esas ese eso esos esta está están estas este esto estos fue fueron ha han hasta hay la
        las le les lo los más me mi mis mucho muy nada ni no nos nosotros o os otra otro para pero por porque qué que
        quien quién se sea ser si sí sin sobre son su sus también te tiene tienen tu tú tus un una uno unos y ya yo
    """,
    "it": """
        a ad agli ai al alla alle allo anche avere c che chi ci come con cosa cui d da dagli dai dal dalla dalle dallo
        degli dei del dell della delle dello di dove e è ed era erano essere fra gli ha hanno ho i il in io l la le lei
        li lo loro lui ma me mi mia mio ne negli nei nel nell nella nelle nello noi non nostro o per perché più quale
        quali quando quanto quella quelle quello questa queste questi questo se sei si sia sono su sua sue sugli sui
        sul sull sulla sulle sullo suo suoi ti tra tu un una uno v vi voi
    """,
    "pt": """
        a à ao aos as às com como da das de dela dele do dos e é ela elas ele eles em entre era eram essa essas esse
        esses esta está estão estas este estes eu foi foram há isso isto já lhe mais mas me mesmo meu minha muito na
        nas não nem no nos nós o onde os ou para pela pelas pelo pelos por porque qual quais quando que quem são se sem
        ser seu seus só sua suas também te tem têm teu tu um uma umas uns você vocês
    """,
    "nl": """
        aan al als bij dan dat de deze die dit doch door dus een en er ge geen had heb hebben heeft hem het hier hij hoe
        hun ik in is ja je jij kan kon kunnen maar me men met mij mijn moet na naar niet nog nu of om omdat onder ons
        ook op over te tot u uit uw van veel voor waar waarom wanneer want waren was wat we wel welke werd wie wij wil
        worden wordt ze zich zij zijn zo zonder zou
    """,
    "sv": """
        alla allt än är att av blev bli blir de dem den denna deras dess det detta dig din där då efter ej eller en er
        ett från för ha hade han hans har henne hennes hon honom hur här i icke in inom inte jag ju kan kunde man med
        mellan men mig min mot måste ni nu när och om oss på sig sin sina ska skall skulle som så till under upp ut utan
        vad var varför vara varit vem vi vid vilka vilken vilket
    """,
    "da": """
        af alle at blev blive bliver da de dem den denne der deres det dette dig din disse dog du efter eller en end er
        et for fra ham han hans har havde have hende hendes her hos hun hvad hvem hvilken hvis hvor hvordan hvorfor
        hvornår i ikke ind jeg jo kan kunne man med meget men mig min mod må ned nogle nu når og om op os over på sig
        sin skal skulle som sådan til ud under var ved vi vil ville være været
    """,
    "no": """
        alle at av bare ble bli blir da de deg dem den denne der deres det dette din disse du eller en enn er et ett
        etter for fordi fra før ha hadde han hans har hennes her hos hun hva hvem hvilken hvis hvor hvordan hvorfor i
        ikke inn ja jeg kan kunne man med meg mellom men min mot må ned noen nå når og også om opp oss over på seg sin
        skal skulle som så til ut uten var ved vi vil ville være vært
    """,
    "fi": """
        ei eikä en että ettei hän häntä he heidän ja jo joka jonka jos jossa jotka jotta kanssa kuin kuinka kuka kun me
        meidän mikä miksi millainen minä missä mitä mutta myös ne niiden niin nyt olen oli olivat olla on ovat sekä se
        sen siellä sinä sitä tai tämä tämän te tuo vai vaikka vain voi
    """,
    "pl": """
        a aby ale albo bez być był była było były by ci co czy czyli dla do gdy gdzie go i ich ile im ja jak jaka jaki
        jakie jego jej jest jeszcze jeśli już kiedy kto która które którego której którzy który którym lub ma mi mnie
        moja może mój na nad nam nas nasz nawet nie nim o od on ona one oni ono oraz po pod przed przez przy są się
        swoje ta tak także tam te tego tej ten to tu ty tych tylko tym w we wy z za ze że żeby
    """,
    "cs": """
        a aby ale ani až bez bude by byl byla bylo byly být co což do i ho jak jaká jaké jaký je jeho její jejich jen
        jsem jsi jsme jsou již k kam kde kdo kdy když ke která které kteří který kterou ma má mezi mi mu můj my na nad
        ne nebo než není o od on ona oni pak po pod podle pro proč proto před při s se si svůj ta tak také tam tato tedy
        ten tento to toho tohoto tom tomto tu ty už v ve vy z za ze že
    """,
    "ru": """
        а без бы был была были было быть в вам вас весь во вот все всё вы где да для до его ее её если есть еще ещё же
        за и из или им их к как какая какие какой ко когда который которая которое которые кто ли между меня мне мы на
        над не него нее неё нет ни них но ну о об он она они оно от очень по под после при про с сам свой себя со так
        также такой там то того тоже той только том ты у уже чем что чтобы эта эти это этого этой этом этот я
    """,
    "tr": """
        acaba ama ancak ben bir biz bu bunlar bunu çok da daha de değil diye en gibi hem hangi için ile ise kadar ki
        kim mi mı mu mü nasıl ne neden nerede niçin niye o olan olarak onlar onu şey şu siz sonra ve veya ya yani
    """,
    "el": """
        από αλλά αν για δε δεν είναι ένα ένας εγώ εμείς εσύ η ή θα και με μας μου να ο οι ότι όταν που ποια ποιος πού
        πώς σας σε στα στη στην στις στο στον στους τα την της τι τις το τον του τους των ως
    """,
    "id": """
        ada adalah agar akan anda antara apa atau bagaimana bagi bahwa bisa dalam dan dapat dari dengan di dia hanya
        harus ia ini itu jika juga kami kamu kapan karena ke kepada kita lebih maka mana mengapa mereka oleh pada saat
        saya sebagai sebuah sehingga seperti serta siapa suatu tetapi tidak untuk yang
    """,
    "ca": """
        a al als amb aquell aquesta aquest aquestes aquests com d de del dels des el ella ells els en entre era és
        estan està ha han hi i la les li l lo m me més meu n na ni no nosaltres o on per perquè però qual quan què que
        qui s se sense ser seu si sí són sobre sota sua també te té teu tu un una unes uns va van
    """,
    "ro": """
        a acest această acesta aceste al ale am are as asupra au avea că când care ce cel cele cine cu cum da dacă de
        deci despre din dintre după e ea ei el ele era este eu fi fie fost i îi în între își îl la le lor lui mai mi
        mult ne nici noi nu o ori pe pentru prin să sale sau se si și sunt te tot un una unde unei unor unui va voi vor
    """,
    "hu": """
        a az azt ahol aki amely ami amikor és csak de egy ehhez ez ezek ezt ha hanem hogy hogyan hol is ki kell lesz
        meg mely mert mi mikor milyen mint mit nagyon nem nincs ő ők ön pedig s sem szerint után vagy van vannak volt
        voltak
    """,
}
_STOP_WORDS["nb"] = _STOP_WORDS["nn"] = _STOP_WORDS["no"]

STOP_WORDS = {language: frozenset(words.casefold().split()) for language, words in _STOP_WORDS.items()}
"""Language → its stop words, in lower case."""
