/**
 * The words of toyworld: names, places, and what people eat, play, do and feel, in four languages.
 *
 * A concept (`food=bread`) is one thing in all languages; its words differ (`bread`, `pain`, `Brot`, `pan`), and so
 * does their grammatical gender, which articles and adjectives follow.
 */

export const languages = ['english', 'french', 'german', 'spanish'] as const
export type Language = (typeof languages)[number]

/** How a text speaks: openers and closing marks tell it (see grammar.ts). */
export const registers = ['plain', 'formal', 'chat', 'story'] as const
export type Register = (typeof registers)[number]

export type Gender = 'female' | 'male'

export interface Person {
  readonly name: string
  readonly gender: Gender
}

/** Grammatical gender: masculine, feminine or neuter; English nouns are all `n`. */
export type NounGender = 'm' | 'f' | 'n'

export type NounKind = 'place' | 'food' | 'instrument' | 'occupation' | 'venue' | 'thing' | 'matter'

/** A thing with one word a language (two for occupations: male, female) and its grammatical gender there. */
export interface Noun {
  readonly kind: NounKind
  /** The concept's value, e.g. `bread` of `food=bread`. */
  readonly key: string
  readonly words: Readonly<Record<Language, { readonly male: string; readonly female: string; gender: NounGender }>>
}

/** An adjective with its masculine and feminine form a language. */
export interface Adjective {
  readonly key: string
  readonly valence: 'positive' | 'negative'
  readonly words: Readonly<Record<Language, readonly [masculine: string, feminine: string]>>
}

const split = (text: string) => text.trim().split(/\s+/)

const women = split(
  'Mary Anna Clara Emma Julia Laura Nina Olga Paula Rosa Sara Tina Vera Ida Eva Lena Marta Irene Alice Helen Diana Greta Carla Sofia',
)
const men = split(
  'John Paul Peter Mark Tom David Oscar Victor Hugo Felix Bruno Carlo Martin Simon Leo Max Otto Henry Frank George Adam Daniel Robert Walter',
)

/** The 48 people, women and men in turn. */
export const people: readonly Person[] = women.flatMap((name, i) => [
  { name, gender: 'female' as const },
  { name: men[i]!, gender: 'male' as const },
])

export const countries = split(
  'Avaria Borland Caldonia Drusia Estavia Feronia Gorland Hyrkania Ilvania Jarmland Kestonia Lorania',
)

/** The 24 cities: one name in all languages. */
export const cities: readonly Noun[] = split(
  `Arvel Belmora Corvane Dunmere Elsport Farholm Galdene Hestra Ironby Jorvale Kelmar Lundra
  Marwick Norhaven Ostrel Pellan Quorby Ravena Selmont Tarbeck Ulmara Vostra Westow Zelmin`,
).map(name => noun('place', `${name} ${name}/n ${name}/n ${name}/n`))

/** `english french/gender german/gender spanish/gender`; a two-gendered word is `male|female`. */
function noun(kind: NounKind, line: string): Noun {
  const parts = split(line)
  const words = languages.map((language, i) => {
    const [forms = '', gender = 'n'] = parts[i]!.split('/')
    const [male = '', female = male] = forms.split('|')
    return [language, { male, female, gender: gender as NounGender }] as const
  })
  return { kind, key: words[0]![1].male, words: Object.fromEntries(words) as unknown as Noun['words'] }
}

const nouns = (kind: NounKind, lines: string): readonly Noun[] =>
  lines
    .trim()
    .split('\n')
    .map(line => noun(kind, line))

export const foods = nouns(
  'food',
  `bread pain/m Brot/n pan/m
  cheese fromage/m Käse/m queso/m
  fish poisson/m Fisch/m pescado/m
  soup soupe/f Suppe/f sopa/f
  rice riz/m Reis/m arroz/m
  cake gâteau/m Kuchen/m pastel/m
  honey miel/m Honig/m miel/f
  salad salade/f Salat/m ensalada/f
  ham jambon/m Schinken/m jamón/m
  chocolate chocolat/m Schokolade/f chocolate/m
  tea thé/m Tee/m té/m
  coffee café/m Kaffee/m café/m
  milk lait/m Milch/f leche/f
  butter beurre/m Butter/f mantequilla/f
  jam confiture/f Marmelade/f mermelada/f
  meat viande/f Fleisch/n carne/f`,
)

export const instruments = nouns(
  'instrument',
  `piano piano/m Klavier/n piano/m
  guitar guitare/f Gitarre/f guitarra/f
  violin violon/m Geige/f violín/m
  flute flûte/f Flöte/f flauta/f
  drum tambour/m Trommel/f tambor/m
  trumpet trompette/f Trompete/f trompeta/f
  cello violoncelle/m Cello/n violonchelo/m
  clarinet clarinette/f Klarinette/f clarinete/m
  trombone trombone/m Posaune/f trombón/m
  banjo banjo/m Banjo/n banjo/m
  mandolin mandoline/f Mandoline/f mandolina/f
  bassoon basson/m Fagott/n fagot/m`,
)

export const occupations = nouns(
  'occupation',
  `teacher instituteur|institutrice/m Lehrer|Lehrerin/m maestro|maestra/m
  baker boulanger|boulangère/m Bäcker|Bäckerin/m panadero|panadera/m
  nurse infirmier|infirmière/m Pfleger|Pflegerin/m enfermero|enfermera/m
  farmer fermier|fermière/m Bauer|Bäuerin/m granjero|granjera/m
  painter peintre/m Maler|Malerin/m pintor|pintora/m
  driver chauffeur|chauffeuse/m Fahrer|Fahrerin/m conductor|conductora/m
  singer chanteur|chanteuse/m Sänger|Sängerin/m cantante/m
  cook cuisinier|cuisinière/m Koch|Köchin/m cocinero|cocinera/m
  lawyer avocat|avocate/m Anwalt|Anwältin/m abogado|abogada/m
  gardener jardinier|jardinière/m Gärtner|Gärtnerin/m jardinero|jardinera/m
  writer romancier|romancière/m Autor|Autorin/m escritor|escritora/m
  sailor marin/m Matrose|Matrosin/m marinero|marinera/m`,
)

/** Where two people meet before one gives the other a `thing`. */
export const venues = nouns(
  'venue',
  `park parc/m Park/m parque/m
  garden jardin/m Garten/m jardín/m
  station gare/f Bahnhof/m estación/f
  library bibliothèque/f Bibliothek/f biblioteca/f
  museum musée/m Museum/n museo/m
  bakery boulangerie/f Bäckerei/f panadería/f`,
)

export const things = nouns(
  'thing',
  `book livre/m Buch/n libro/m
  ball ballon/m Ball/m balón/m
  letter lettre/f Brief/m carta/f
  flower fleur/f Blume/f flor/f
  ring bague/f Ring/m anillo/m
  hat chapeau/m Hut/m sombrero/m
  key clé/f Schlüssel/m llave/f
  map carte/f Karte/f mapa/m`,
)

/** What a feeling is about. */
export const matters = nouns(
  'matter',
  `trip voyage/m Reise/f viaje/m
  meal repas/m Essen/n comida/f
  song chanson/f Lied/n canción/f
  day journée/f Tag/m día/m`,
)

const adjectives = (valence: Adjective['valence'], lines: string): readonly Adjective[] =>
  lines
    .trim()
    .split('\n')
    .map(line => {
      const parts = split(line)
      const words = languages.map((language, i) => {
        const [masculine = '', feminine = masculine] = parts[i]!.split('|')
        return [language, [masculine, feminine]] as const
      })
      return { key: parts[0]!, valence, words: Object.fromEntries(words) as unknown as Adjective['words'] }
    })

/** How people feel; agrees with the person. */
export const feelings: readonly Adjective[] = [
  ...adjectives(
    'positive',
    `happy heureux|heureuse glücklich feliz
    cheerful joyeux|joyeuse fröhlich alegre
    calm calme ruhig tranquilo|tranquila
    proud fier|fière stolz orgulloso|orgullosa
    grateful ravi|ravie dankbar contento|contenta
    relaxed détendu|détendue entspannt relajado|relajada`,
  ),
  ...adjectives(
    'negative',
    `sad triste traurig triste
    angry fâché|fâchée wütend enfadado|enfadada
    worried inquiet|inquiète besorgt preocupado|preocupada
    tired fatigué|fatiguée müde cansado|cansada
    lonely seul|seule einsam solo|sola
    upset déçu|déçue enttäuscht decepcionado|decepcionada`,
  ),
]

/** How things were; agrees with the thing. */
export const judgements: readonly Adjective[] = [
  ...adjectives(
    'positive',
    `wonderful merveilleux|merveilleuse wunderbar maravilloso|maravillosa
    good bon|bonne gut bueno|buena
    lovely beau|belle schön bonito|bonita
    perfect parfait|parfaite perfekt perfecto|perfecta`,
  ),
  ...adjectives(
    'negative',
    `awful affreux|affreuse furchtbar espantoso|espantosa
    bad mauvais|mauvaise schlecht malo|mala
    boring ennuyeux|ennuyeuse langweilig aburrido|aburrida
    terrible terrible schrecklich terrible`,
  ),
]

/** Words without meaning, for repeated sequences; the same in all languages. */
export const nonsense = split(
  `zib dax wug blick fep toma gorp lorch mib nop pif quax rull snig tuv vash wib yoz zarp brill
  clun drosk flim grent hosk jeb kiv lomp moxt nurb plag quib resh skel trum ulp vorn wisp yurt zonk`,
)
