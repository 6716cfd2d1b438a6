/**
 * The languages that the source writes, and for each the one way in which text becomes a part of it. Text from others would
 * otherwise be read as a command.
 */

/** One language. */
interface Language {
  /** Shows that a line is written in this language. */
  readonly sign: RegExp;
  /** The files with such lines, each with the functions that are there, or what the file writes. */
  readonly files: Readonly<Record<string, string>>;
  /** What may stand between `${` and `}` in such a line: a call of the function, or what has a form of its own. */
  readonly inserted: readonly RegExp[];
}

/** Addresses and numbers have types of their own, whose values need no quotes in any language. */
const ADDRESS = /^(?:host0|url|subnet\.(?:mask|network)|httpLoaderUrl\(host0\)|LOADERS\.\w+)$/;
const NUMBER = /^(?:first|last|arch|againSec|[A-Z_]+_(?:SEC|MAX)|leaseSec)$/;

export const LANGUAGES: Readonly<Record<string, Language>> = {
  'the lines of a shell': {
    sign: /'-c', \w|>\/dev\/null|<\/dev\/(?:null|zero)/,
    files: {
      'lab/checks/inflow.ts': 'a command of a lab',
      'lab/vms/vm-emulator.ts': 'a fixed script, which gets a command as arguments',
      'lab/vms/vm-terminal.ts': 'fixed scripts, which get paths as arguments',
      'cli/lab/vm-access.ts': 'a command of the user for a machine of a lab',
      'cli/lab/vm-test.ts': 'a command of a test for a machine of a lab',
      'cli/node/node-logview.ts': 'the reading of a log on a node',
      'cli/node/node-reboot.ts': 'the reboot of a node',
      'backup/archive/filter.ts': 'the words of the administrator who runs the command, as they are',
      'bridging/dhcp-move.ts': 'a fixed script',
      'bridging/nic-watch.ts': 'a fixed loop, which gets its command as words',
      'formats/distribution/interfaces.ts': '`plainLinkName`, and addresses of cards',
    },
    inserted: [/^shellWords\(/, /^tail$/, /^(?:card|cardAfter|bridge)$/],
  },
  'quotes of a shell': {
    sign: /replaceAll\("'"/,
    files: { 'image/shell-words.ts': '`shellWords`' },
    inserted: [/^word\.replaceAll/],
  },
  'settings of ssh': {
    sign: /'-o'/,
    files: { 'image/ssh-command.ts': '`sshSettings`' },
    inserted: [/^name$/, /^sshValue\(value\)$/],
  },
  'the configuration of dnsmasq, outside of `setting`': {
    sign: /(?<!setting)`(?:--)?(?:dhcp|tftp|interface|pxe|except|enable|port|log)-?\w*-?\w*=.*\$\{/,
    files: {
      'lab/hosts/foreign-server.ts': 'arguments of a server of a lab',
    },
    inserted: [/^join\(place, '\w+'\)$/, /^FOREIGN_DOMAIN$/, /^file$/, ADDRESS, NUMBER],
  },
  'the scripts of iPXE': {
    sign: /#!ipxe|\|\| goto |`sleep \S/,
    files: { 'boot/site/ipxe-script.ts': '`onConsole`, and fixed text with checked values' },
    inserted: [/./],
  },
  "the kernel's command line": {
    sign: /\bmesh\.(?:token|overlay|turn|boot)=\$|console=tty/,
    files: {
      'boot/site/ipxe-script.ts': '`commandLine`',
      'lab/guest/guest-image.ts': 'fixed words, before those of `labWords`',
    },
    inserted: [/^\w+$/],
  },
  SVG: {
    sign: /<(?:svg xmlns|(?:text|rect|path) \w+=|title>)/,
    files: { 'cli/print/scan-picture.ts': '`escaped`', 'lab/vms/lab-picture.ts': '`escapedText`' },
    inserted: [
      /^escaped(?:Text)?\(/,
      /^(?:x|yOf\(net\))(?: [-+] \d+)?$/,
      /^barWidth$/,
      /^(?:state|FILLS\[machine\.role\]|machine\.role)$/,
      /^[A-Z_]+(?: [-+] [\w /]+)*$/,
      /^(?:y|middle|width|height)(?: [-+] \d+)?$/,
      /^Math\.max\(/,
      /^view\.\w+\.length$/,
      /^lines\.join\(''\)$/,
      /^alive \? '' : ' class="dead"'$/,
    ],
  },
  'manual pages': {
    sign: /\\\\f[BI]|[`']\.(?:TH|SH|SS|TP)\b|\\\\-/,
    files: {
      'cli/pages/manual.ts': '`roff`',
      'cli/pages/format-manual.ts': '`roff`',
      'cli/pages/roff.ts': '`roff`',
    },
    inserted: [/^roff\(/, /^(?:title|version|section|code)$/],
  },
  "Prometheus' text": {
    sign: /# (?:HELP|TYPE|UNIT) /,
    files: { 'metrics/exposition.ts': '`escaped`' },
    inserted: [/^(?:name|type|unit|unitLine|words)$/, /^family\.type$/, /^escaped\(/, /^samplesText\(/],
  },
  'output of a process': {
    sign: /\bstd(?:out|err)\.write\(|\bconsole\.(?:log|error|warn)\(|\bcontext\.print\(/,
    files: {
      'cli/command-line.ts': '`terminalJson`, `errorText`, `visible`',
      'main/process.ts': '`errorText`',
      'protocol/journal/log-output.ts': 'lines of `terminalJson`',
      'cli/context.ts': '`terminalJson`; text of a command',
      'cli/complete.ts': 'words of this program',
      'cli/lab/hook-commands.ts': '`printable`',
      'cli/lab/lab.ts': 'texts of a lab',
      'cli/lab/vm-access.ts': 'the output of a guest, for a terminal of its own',
      'cli/lab/vm-parts.ts': 'a schema of this program',
      'cli/lab/vm-status.ts': 'a picture of a lab',
      'cli/lab/vm-switch.ts': 'texts of a lab',
      'cli/lab/vm-up.ts': 'texts of a lab',
      'cli/program.ts': 'help texts',
      'cli/here/capture.ts': '`printable`',
      'cli/here/events.ts': 'titles of this program',
      'cli/here/genid.ts': '`table`',
      'cli/here/metrics.ts': '`visible`',
      'cli/net/edit-words.ts': '`errorText`',
      'cli/network/network-changes.ts': '`printable`, `networkYaml` and `errorText`',
      'cli/node/node-choice.ts': '`printable`',
      'cli/node/node-ctl.ts': '`visible`',
      'cli/node/node-logview.ts': '`logLine` and `logJson`',
      'cli/node/node-preview.ts': 'a file of the administrator',
      'cli/node/remote-shell.ts': '`printable`',
      'cli/print/progress.ts': 'stages of a command',
      'cli/workload/console.ts': '`printable`; the output of a guest, for a terminal of its own',
      'cli/workload/vnc.ts': '`printable`',
      'cli/system/system.ts': '`logLine` and `logJson`',
      'cli/system/backup.ts': '`visible`',
      'cli/system/restore.ts': '`visible`',
    },
    inserted: [
      /^(?:printable|visible|terminalJson|errorText|visibleLines|table)\(/,
      /^line$/,
      /^paint(?:For\(stderr\))?\('heading', name\)$/,
      /^reasonOf\(node\)$/,
      /^TITLES\[daemon\]$/,
      /^ERASE_LINE$/,
      /^text$/,
      /^seconds$/,
      /^failure\.cause\.message$/,
    ],
  },
};
