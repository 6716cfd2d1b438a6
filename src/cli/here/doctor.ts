/** `mesh doctor`: what is wrong with this machine or its underlay, why it matters, and what to do. */
import { Command } from 'commander';
import { agentClient } from '../../protocol/calls/control-client.ts';
import type { DoctorFinding, DoctorView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { withProgress } from '../print/progress.ts';

/** Members that do not answer are asked twice, and the MTU of a narrow path is found by bisection. */
const TIMEOUT_MS = 60_000;

export function doctorCommand(context: Context): Command {
  return new Command('doctor')
    .option('--fix', 'change the settings that are safe to change, and print them')
    .addHelpText(
      'after',
      '\nExit code 0 when nothing was found, else 1.\n\nExamples:\n  $ mesh doctor\n  $ mesh doctor --fix',
    )
    .action(async ({ fix = false }: { fix?: boolean }) => {
      const agent = agentClient(context.paths);
      const work = fix
        ? agent.ask('POST /v1/doctor/fix', { timeoutMs: TIMEOUT_MS })
        : agent.ask('GET /v1/doctor', { timeoutMs: TIMEOUT_MS });
      const view = await withProgress(context.stderr, 'Examining this machine', work);
      if (view.findings.length > 0) context.exitCode = 1;
      context.answer(view, () => doctorText(view, fix, context));
    });
}

function doctorText({ checks, findings, fixed }: DoctorView, fix: boolean, { paint }: Context): string {
  const done = fixed
    .map(({ name, value, before }) => `${paint('good', 'set')} ${name} = ${value} (it was ${before})\n`)
    .concat(fixed.length > 0 ? ['This lasts until the next boot: write it to /etc/sysctl.d to keep it.\n\n'] : [])
    .join('');
  if (findings.length === 0) return `${done}${paint('good', 'Healthy:')} ${checks.length} checks found nothing.\n`;
  const fixable = findings.filter((finding) => finding.fix !== undefined).length;
  const hint = fixable === 0 || fix ? '' : `\n\`mesh doctor --fix\` can fix ${fixable} of ${findings.length}.\n`;
  return done + findings.map((finding) => findingText(finding, paint)).join('\n') + hint;
}

function findingText({ check, severity, saw, matters, remedy }: DoctorFinding, paint: Context['paint']): string {
  const word = paint(severity === 'error' ? 'bad' : 'warning', severity);
  return [`${word} ${check}: ${printable(saw)}`, `  why: ${printable(matters)}`, `  → ${printable(remedy)}`, ''].join(
    '\n',
  );
}
