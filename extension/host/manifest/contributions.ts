/** Turns the tables of commands and settings into the parts of package.json that VS Code reads. */
import type { Param } from '../../contract/params.ts';
import { commands, type CommandRow, type MenuPlace } from './commands.ts';
import { settings, type Setting } from './settings.ts';
import { walkthroughs } from './walkthrough.ts';
import { viewsWelcome } from './welcome.ts';

export const traceEditor = 'attnscope.trace';
/** View type of the panel that compares two traces. */
export const comparePanel = 'attnscope.compare';
export const category = 'AttnScope';

/** What `npm run generate` writes into package.json: these keys and nothing else. */
export function contributions(): Readonly<Record<'activationEvents' | 'capabilities' | 'contributes', unknown>> {
  return {
    activationEvents: ['onLanguage:python', 'onUri', `onWebviewPanel:${comparePanel}`],
    capabilities: {
      untrustedWorkspaces: {
        supported: 'limited',
        description: 'Traces can be opened and looked at. No model of the workspace is run until the workspace is trusted.',
        restrictedConfigurations: Object.entries<Setting>(settings).filter(([, setting]) => setting.restricted).map(([id]) => id),
      },
      virtualWorkspaces: { supported: 'limited', description: 'Models and traces have to be files on the machine that the extension runs on.' },
    },
    contributes: {
      commands: rows().map(([command, row]) => ({ command, title: row.title, category, ...(row.icon ? { icon: `$(${row.icon})` } : {}) })),
      menus: menus(),
      keybindings: rows().flatMap(([command, row]) => (row.keys ? [{ command, ...row.keys }] : [])),
      viewsContainers: { activitybar: [{ id: 'attnscope', title: category, icon: '$(telescope)' }] },
      views: { attnscope: [{ id: 'attnscope.models', name: 'Models' }, { id: 'attnscope.traces', name: 'Traces' }] },
      configuration: {
        title: category,
        properties: Object.fromEntries(Object.entries<Setting>(settings).map(([id, setting]) => [id, { ...toJsonSchema(setting), scope: setting.scope }])),
      },
      customEditors: [{ viewType: traceEditor, displayName: 'Attention Trace', selector: [{ filenamePattern: '*.attntrace' }], priority: 'default' }],
      viewsWelcome: viewsWelcome(),
      walkthroughs: walkthroughs(),
    },
  };
}

/** JSON schema of one tunable, as VS Code's settings editor and anybody else's forms want it. */
export function toJsonSchema(param: Param): Readonly<Record<string, unknown>> {
  const said = { default: param.default, markdownDescription: `${param.label}. ${param.help}` };
  switch (param.kind) {
    case 'int': return { type: 'integer', minimum: param.min, maximum: param.max, ...said };
    case 'float': return { type: 'number', minimum: param.min, maximum: param.max, ...said };
    case 'choice': return { type: 'string', enum: param.options, ...said };
    case 'text': return { type: 'string', ...said };
    case 'flag': return { type: 'boolean', ...said };
  }
}

/** The README's tables, by the name in their markers. */
export function readmeTables(): Readonly<Record<'commands' | 'settings', string>> {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  return {
    commands: ['| command | does |', '|--|--|',
      ...rows().filter(([, row]) => row.palette !== false).map(([, row]) => `| **${category}: ${cell(row.title)}** | ${cell(row.help)} |`)].join('\n'),
    settings: ['| setting | default | means |', '|--|--|--|',
      ...Object.entries<Setting>(settings).map(([id, setting]) => `| \`${id}\` | \`${JSON.stringify(setting.default)}\` | ${cell(`${setting.label}. ${setting.help}`)} |`)].join('\n'),
  };
}

function rows(): [string, CommandRow][] { return Object.entries<CommandRow>(commands); }

function menus(): Record<string, unknown[]> {
  const found: Record<string, unknown[]> = { commandPalette: [] };
  for (const [command, row] of rows()) {
    if (row.palette !== 'true') found.commandPalette.push({ command, when: row.palette === false ? 'false' : row.palette });
    for (const [menu, places] of Object.entries<MenuPlace | readonly MenuPlace[]>(row.menus ?? {})) {
      for (const { when, group } of 'when' in places ? [places] : places) (found[menu] ??= []).push({ command, when, group });
    }
  }
  return found;
}
