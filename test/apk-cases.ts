/**
 * Which test has which case of Alpine's formats and of apk's behaviour. Five lists: `index` (APKINDEX and its signatures), `package`
 * (files `.apk`), `closure` (what machines install), `version` (the order of versions), `overlay` (what machines unpack).
 */

/** A case, the file of its test, and a part of the test's name or of the row of its table. */
export type ApkCase = readonly [what: string, file: string, test: string];

const INDEX = 'src/formats/apk/index-archive.test.ts';
const PACKAGE = 'src/formats/apk/package-file.test.ts';
const WRITER = 'src/formats/apk/package-archive.test.ts';
const SOLVER = 'src/image/mirror/solver.test.ts';
const RANDOM = 'src/image/mirror/solver.random.test.ts';
const DOWNLOAD = 'src/image/mirror/download.test.ts';
const VERSION = 'src/formats/apk/version.test.ts';
const DEPENDENCY = 'src/formats/apk/dependency.test.ts';
const COMPILATION = 'src/image/overlay/compilation.test.ts';
const ALPINE = 'src/image/overlay/alpine-system.test.ts';
const CATALOGUE = 'src/image/overlay/boot-catalogue.test.ts';
const ACCESS = 'src/image/overlay/host0-access.test.ts';
const SITE = 'src/boot/site/boot-site.test.ts';
const IDENTITY = 'src/boot/site/identification.test.ts';
const BOOT = 'test/system/80-boot/alpine.test.ts';

/** All cases, by list. */
export const APK_CASES: Readonly<Record<string, readonly ApkCase[]>> = {
  index: [
    ['signed by RSA, RSA256 and RSA512', INDEX, "'RSA', 'RSA256', 'RSA512'"],
    ['not signed', INDEX, "['none'"],
    ['signed by an unknown key', INDEX, 'an unknown key'],
    ['signed by the right key under a wrong name', INDEX, 'the right key under a wrong name'],
    ['signed by a wrong key under a known name', INDEX, 'a wrong key under the right name'],
    ['end blocks in the signatures', INDEX, 'an end where the index should follow'],
    ['content in two members', INDEX, 'content in two members'],
    ['without DESCRIPTION', INDEX, 'no DESCRIPTION'],
    ['a long DESCRIPTION', INDEX, 'a long DESCRIPTION'],
    ['a changed byte', INDEX, 'each byte that changes is noticed'],
    ['two signatures, one of them trusted', INDEX, 'one of several is enough, in any order'],
    ['the signature of another index', INDEX, 'of another index'],
    ['an older index that is signed as well', DOWNLOAD, "'an older index'"],
    ['cut off', INDEX, 'each length that is too short is noticed'],
    ['something behind its end', INDEX, 'something behind the end'],
    ['a gzip header with a name and extra data', INDEX, 'gzip headers may have a name'],
    ['what unpacks to too much', INDEX, 'what unpacks to too much is not unpacked'],
    ['a key of 1,024 bits', INDEX, 'a key of 1,024 bits'],
    ['carriage returns', INDEX, 'carriage returns'],
    ['no empty line at its end', INDEX, 'no empty line at the end'],
    ['empty values and unknown small letters', INDEX, 'unknown small letters, empty values'],
    ['unknown capital letters', INDEX, 'an unknown letter that has to be known'],
    ['one name and version with two checksums', DOWNLOAD, 'has a package once that the source names twice'],
    ['two records with one checksum', SOLVER, 'two records with one checksum are one package'],
    ['noarch is rewritten', INDEX, 'the architecture is rewritten, and nothing else'],
    ['25,000 records in a second', 'bench/mirror.ts', 'packages read'],
    ['a maintainer in another alphabet', INDEX, 'other alphabets stay as they are'],
    ['read, written and read again', INDEX, 'an index that is written is what other programs read'],
  ],
  package: [
    ['the hash of its files is right', PACKAGE, 'a whole package is sound'],
    ['the hash of its files is wrong, or a byte of them', PACKAGE, 'with a byte of its files changed, at each place'],
    ['another control part', PACKAGE, 'with another control part'],
    ['signed by another key of the distribution', PACKAGE, 'another key of the same distribution may have signed it'],
    ['signed by a stranger', PACKAGE, "'of a stranger'"],
    ['without a signature', PACKAGE, 'without a signature'],
    ['without the hash of its files', PACKAGE, 'without the hash of its files'],
    ['four members', PACKAGE, 'with a fourth member'],
    ['a wrong size in the index', PACKAGE, 'the size in the index is a hint'],
    ['another name, version or architecture than in the index', PACKAGE, 'when it is another one than the index says'],
    ['paths that lead out, links and hard links', PACKAGE, 'with a path that leads elsewhere'],
    ['records of PAX before .PKGINFO', PACKAGE, 'records of PAX before .PKGINFO'],
    ['more than 8 GiB', PACKAGE, 'a size beyond 8 GiB'],
    ['a genuine one', PACKAGE, 'a genuine package of Alpine'],
    ['one that we write: signatures and hashes', WRITER, 'openssl verifies the signature'],
    ['one that we write: directories and checksums of files', WRITER, 'every directory has an entry before'],
    ['one that we write: as one archive', WRITER, 'unpacks the whole package as one archive'],
  ],
  closure: [
    ['a chain', SOLVER, 'a chain'],
    ['a diamond', SOLVER, 'a diamond'],
    ['a circle', SOLVER, 'a circle'],
    ['so:, cmd:, pc: and paths', SOLVER, 'pkg-config'],
    ['each comparison', SOLVER, "'<='"],
    ['fuzzy versions', SOLVER, "'>~'"],
    ['what is forbidden', SOLVER, 'of the machine and of packages'],
    ['two providers with a priority', SOLVER, 'the one with the highest priority is chosen'],
    ['two providers without', SOLVER, 'without priorities none is chosen, and the error names them'],
    ['a provider that is wanted already', SOLVER, "solve(packages, 'a y')"],
    ['install_if with one condition', SOLVER, 'one condition'],
    ['install_if with several', SOLVER, 'several, all met'],
    ['install_if one after the other', SOLVER, 'one after the other'],
    ['install_if with a version', SOLVER, 'a version that is not there'],
    ['install_if with what is forbidden', SOLVER, 'with what must not be there'],
    ['a tag', SOLVER, 'a tagged one is for what is named with the tag'],
    ['a higher version in the second repository, and the same version in both', SOLVER, 'the higher version wins'],
    ['a package that is gone upstream', DOWNLOAD, 'when a package is gone upstream'],
    ['a word that nobody has', DOWNLOAD, 'a name that nobody has'],
    ['every machine with the fault is named', DOWNLOAD, 'and names every machine that has the fault'],
    ['another architecture', DOWNLOAD, 'where a package is for another processor alone'],
    ['modloop of another kernel', DOWNLOAD, 'a modloop of another kernel'],
    ['initramfs of another kernel', DOWNLOAD, 'an initramfs of another kernel'],
    ['what was chosen gives the same again', RANDOM, 'What was chosen is enough'],
    ['a superset has it all', RANDOM, 'superset(catalogue, world)'],
    ['1,000 random repositories against every set of packages', RANDOM, '1,000 random repositories'],
    ['random repositories with a tag', RANDOM, 'words with a tag take what they name'],
  ],
  version: [
    ['a table', VERSION, 'is older than'],
    ['antisymmetric and transitive', VERSION, '3,000 random triples'],
    ['numbers of any length', VERSION, '99999999999999999999'],
    ['1.0~abc, 1_p and 1.0_rc', VERSION, "'1.0~abc'"],
    ['-r without digits', VERSION, "'1.0-r'"],
    ['fuzzy', VERSION, 'a fuzzy comparison'],
    ['in words of the world', DEPENDENCY, 'the tag comes before the version'],
  ],
  overlay: [
    ['no ./ before names', ALPINE, 'names have no dot before them'],
    ['the suffix gz', CATALOGUE, '.apkovl.tar.gz'],
    ['the same bytes for the same files', COMPILATION, 'its bytes are always the same'],
    ['modes', COMPILATION, 'with modes, owners and links'],
    ['runlevels are links', ALPINE, 'by links of runlevels'],
    ['long paths and other alphabets', ALPINE, "comes out of Alpine's tar as it went in"],
    ['the card in any spelling', SITE, 'the card may be written in upper or lower case'],
    ['the UUID in any spelling and byte order', IDENTITY, 'in either byte order and case'],
    ['a machine with a new name', ALPINE, 'whose folder has another name now'],
    ['a machine without a folder', CATALOGUE, 'a machine boots its own overlay, or the default one'],
    ['a machine that gets nothing', CATALOGUE, 'for an unknown machine the error says how to name it'],
    ['an overlay only for its own boot', SITE, 'An overlay is there for the boot that it was made for'],
    ['secrets only for the machine itself', SITE, 'secrets are given once and only to the machine itself'],
    ['a sorted world', ALPINE, 'has a sorted world'],
    ['comments are no packages', ACCESS, 'comments in a list of packages install nothing'],
    ['the key of the mirror', ALPINE, 'has the key of the mirror'],
    ['never empty', ALPINE, 'has bytes also when a machine has no file of its own'],
    ["unpacked by Alpine's tar", ALPINE, "comes out of Alpine's tar as it went in"],
    ['the whole boot, replayed', BOOT, 'boots Alpine through the mirror'],
    ['its files win over those of packages', BOOT, 'files of the overlay win'],
  ],
};
