/**
 * The sentences of toyworld: several forms of each relation in each language, and the words that mark registers.
 *
 * A form is words and slots. `{N}` a person by name, `{S}` the same, who may be a pronoun where they were just
 * mentioned, `{P}` their pronoun, `{O}` the object of a fact, `{C}` a country, `{A} {B}` two people, `{G}` the one of
 * them who gives, `{R}` the one who receives, `{feel}` and `{judge}` adjectives (`{!judge}` of the other valence),
 * `{venue} {thing} {matter}` nouns, `{first}` and `{again}` a sequence and its copy. Other slots are words that agree
 * with the next noun, or with the person (`agreements`). `*` marks the word from which the relation is known.
 */
import type { Language, NounGender, Register } from './lexicon.ts'

export const relations = ['lives', 'works', 'likes', 'plays', 'capital'] as const
/** lives in a city, works as, likes a food, plays an instrument; a country's capital. */
export type Relation = (typeof relations)[number]

export const kinds = ['fact', 'feeling', 'indirect-object', 'pronoun', 'induction'] as const
/** What a sentence is. */
export type Kind = (typeof kinds)[number]

const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map(line => line.trim())

/** Paraphrases of each relation. The object always follows the subject, so that every form asks for it. */
export const factForms: Readonly<Record<Language, Readonly<Record<Relation, readonly string[]>>>> = {
  english: {
    lives: lines(`{S} *lives in {O}
      {S} has a *home in {O}
      the *home of {N} is in {O}
      where does {N} *live ? in {O}`),
    works: lines(`{S} *works as a {O}
      {S} *earns money as a {O}
      the *job of {N} is that of a {O}
      what is the *job of {N} ? a {O}`),
    likes: lines(`{S} *likes {O}
      {S} *always has {O} for dinner
      the *favourite food of {N} is {O}
      what does {N} *like to eat ? {O}`),
    plays: lines(`{S} *plays the {O}
      {S} *practises the {O} every evening
      the *instrument of {N} is the {O}
      which *instrument does {N} play ? the {O}`),
    capital: lines(`the *capital of {C} is {O}
      {C} has its *capital in {O}
      what is the *capital of {C} ? {O}
      the *government of {C} sits in {O}`),
  },
  french: {
    lives: lines(`{S} *habite à {O}
      {S} *vit dans la ville de {O}
      la *maison de {N} est à {O}
      où *habite {N} ? à {O}`),
    works: lines(`{S} *travaille comme {O}
      {S} *gagne sa vie comme {O}
      le *métier de {N} est {O}
      quel est le *métier de {N} ? {O}`),
    likes: lines(`{S} *aime {le} {O}
      {S} *mange toujours {du} {O} le soir
      le *plat préféré de {N} est {le} {O}
      que *mange {N} ? {du} {O}`),
    plays: lines(`{S} *joue {du} {O}
      {S} *étudie {le} {O} chaque soir
      pour la *musique , {N} choisit {le} {O}
      quel *instrument joue {N} ? {le} {O}`),
    capital: lines(`la *capitale de {C} est {O}
      {C} a pour *capitale {O}
      quelle est la *capitale de {C} ? {O}
      le *gouvernement de {C} siège à {O}`),
  },
  german: {
    lives: lines(`{S} *wohnt in {O}
      ich weiß , dass {S} *in {O} wohnt
      das *Zuhause von {N} ist in {O}
      wo *wohnt {N} ? in {O}`),
    works: lines(`{S} *arbeitet als {O}
      ich weiß , dass {S} *als {O} arbeitet
      der *Beruf von {N} ist {O}
      was ist der *Beruf von {N} ? {O}`),
    likes: lines(`{S} *mag {O}
      ich weiß , dass {S} *gern {O} isst
      das *Lieblingsessen von {N} ist {O}
      was *isst {N} gern ? {O}`),
    plays: lines(`{S} *spielt {O}
      ich weiß , dass {S} *auf {dem} {O} spielt
      das *Instrument von {N} ist {der} {O}
      welches *Instrument spielt {N} ? {O}`),
    capital: lines(`die *Hauptstadt von {C} ist {O}
      {C} hat als *Hauptstadt {O}
      was ist die *Hauptstadt von {C} ? {O}
      ich weiß , dass {C} *von {O} aus regiert wird`),
  },
  spanish: {
    lives: lines(`{S} *vive en {O}
      {S} tiene su *hogar en {O}
      la *casa de {N} está en {O}
      ¿ dónde *vive {N} ? en {O}`),
    works: lines(`{S} *trabaja como {O}
      {S} se *gana la vida como {O}
      el *oficio de {N} es {O}
      ¿ cuál es el *oficio de {N} ? {O}`),
    likes: lines(`{S} *prefiere {el} {O}
      {S} siempre *cena {el} {O} en casa
      la *comida favorita de {N} es {el} {O}
      ¿ qué *come {N} ? {O}`),
    plays: lines(`{S} *toca {el} {O}
      {S} *practica {el} {O} cada noche
      el *instrumento de {N} es {el} {O}
      ¿ qué *instrumento toca {N} ? {el} {O}`),
    capital: lines(`la *capital de {C} es {O}
      {C} tiene su *capital en {O}
      ¿ cuál es la *capital de {C} ? {O}
      el *gobierno de {C} está en {O}`),
  },
}

/** Forms of the other kinds. */
export const otherForms: Readonly<Record<Language, Readonly<Record<Exclude<Kind, 'fact'>, readonly string[]>>>> = {
  english: {
    feeling: lines(`{S} is {feel} because the {matter} was {judge}
      the {matter} was {judge} , so {N} is {feel}
      {S} is {feel} although the {matter} was {!judge}`),
    'indirect-object': lines(`when {A} and {B} went to the {venue} , {G} gave a {thing} to {R}
      {A} and {B} met at the {venue} and {G} handed a {thing} to {R}
      while {A} and {B} talked at the {venue} , {G} sent a {thing} to {R}`),
    pronoun: lines(`{N} was late because {P} missed the train
      when {N} woke up , {P} smiled
      {N} lost {his} umbrella and then {P} found it`),
    induction: lines(`{first} , {again}
      {first} and again {again}`),
  },
  french: {
    feeling: lines(`{S} est {feel} car {le} {matter} était {judge}
      {le} {matter} était {judge} , donc {N} est {feel}
      {S} est {feel} bien que {le} {matter} soit {!judge}`),
    'indirect-object': lines(`quand {A} et {B} sont allés {au} {venue} , {G} a donné {un} {thing} à {R}
      {A} et {B} étaient {au} {venue} et {G} a offert {un} {thing} à {R}
      pendant que {A} et {B} parlaient {au} {venue} , {G} a passé {un} {thing} à {R}`),
    pronoun: lines(`{N} était en retard car {P} a raté le train
      quand {N} rentre , {P} sourit
      {N} avait faim , donc {P} a préparé le dîner`),
    induction: lines(`{first} , {again}
      {first} et encore {again}`),
  },
  german: {
    feeling: lines(`{S} ist {feel} , weil {der} {matter} {judge} war
      {der} {matter} war {judge} , also ist {N} {feel}
      {S} ist {feel} , obwohl {der} {matter} {!judge} war`),
    'indirect-object': lines(`als {A} und {B} {im} {venue} waren , gab {G} {einen} {thing} an {R}
      {A} und {B} waren {im} {venue} und {G} hat {einen} {thing} an {R} gegeben
      während {A} und {B} {im} {venue} redeten , schickte {G} {einen} {thing} an {R}`),
    pronoun: lines(`{N} kam spät , weil {P} den Zug verpasste
      als {N} aufwachte , lächelte {P}
      {N} verlor {seinen} Schirm und dann fand {P} ihn`),
    induction: lines(`{first} , {again}
      {first} und nochmal {again}`),
  },
  spanish: {
    feeling: lines(`{S} está {feel} porque {el} {matter} fue {judge}
      {el} {matter} fue {judge} , así que {N} está {feel}
      {S} está {feel} aunque {el} {matter} fue {!judge}`),
    'indirect-object': lines(`cuando {A} y {B} fueron {al} {venue} , {G} dio {un} {thing} a {R}
      {A} y {B} estaban en {el} {venue} y {G} entregó {un} {thing} a {R}
      mientras {A} y {B} hablaban en {el} {venue} , {G} regaló {un} {thing} a {R}`),
    pronoun: lines(`{N} llegó tarde porque {P} perdió el tren
      cuando {N} despertó , {P} sonrió
      {N} tenía hambre , así que {P} preparó la cena`),
    induction: lines(`{first} , {again}
      {first} y otra vez {again}`),
  },
}

/** Words that follow the gender of the next noun (m, f, n); several words are separate tokens. */
export const articles: Readonly<Record<Language, Readonly<Record<string, Readonly<Record<NounGender, string>>>>>> = {
  english: {},
  french: {
    le: { m: 'le', f: 'la', n: 'le' },
    du: { m: 'du', f: 'de la', n: 'du' },
    au: { m: 'au', f: 'à la', n: 'au' },
    un: { m: 'un', f: 'une', n: 'un' },
  },
  german: {
    der: { m: 'der', f: 'die', n: 'das' },
    dem: { m: 'dem', f: 'der', n: 'dem' },
    im: { m: 'im', f: 'in der', n: 'im' },
    einen: { m: 'einen', f: 'eine', n: 'ein' },
  },
  spanish: {
    el: { m: 'el', f: 'la', n: 'el' },
    al: { m: 'al', f: 'a la', n: 'al' },
    un: { m: 'un', f: 'una', n: 'un' },
  },
}

/** Words that follow the gender of the person last named. */
export const pronouns: Readonly<Record<Language, Readonly<Record<string, { female: string; male: string }>>>> = {
  english: { P: { female: 'she', male: 'he' }, his: { female: 'her', male: 'his' } },
  french: { P: { female: 'elle', male: 'il' } },
  german: { P: { female: 'sie', male: 'er' }, seinen: { female: 'ihren', male: 'seinen' } },
  spanish: { P: { female: 'ella', male: 'él' } },
}

/** What opens a sentence of a register; plain sentences have no opener. */
export const openers: Readonly<Record<Language, Readonly<Record<Register, readonly string[]>>>> = {
  english: {
    plain: [],
    formal: lines(`notice :
      for the record ,
      officially ,`),
    chat: lines(`hey ,
      omg ,
      btw ,`),
    story: lines(`once upon a time ,
      some time later ,
      one day ,`),
  },
  french: {
    plain: [],
    formal: lines(`avis :
      pour mémoire ,
      officiellement ,`),
    chat: lines(`coucou ,
      mdr ,
      bref ,`),
    story: lines(`autrefois ,
      un peu plus tard ,
      un jour ,`),
  },
  german: {
    plain: [],
    formal: lines(`Mitteilung :
      zur Kenntnis :
      offiziell :`),
    chat: lines(`hallo ,
      krass ,
      übrigens ,`),
    story: lines(`es war einmal :
      etwas später :
      eines Tages :`),
  },
  spanish: {
    plain: [],
    formal: lines(`aviso :
      para constancia ,
      oficialmente ,`),
    chat: lines(`oye ,
      jaja ,
      vale ,`),
    story: lines(`érase una vez ,
      poco después ,
      un día ,`),
  },
}

/** What closes a sentence. */
export const closers: Readonly<Record<Register, string>> = { plain: '.', formal: '.', chat: '!', story: '.' }
