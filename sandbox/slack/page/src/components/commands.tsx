import { useMemo } from "preact/hooks";
import { useWorkspace } from "../workspace";
import type { SlashCommand } from "../types";

export interface OfferedCommand extends SlashCommand {
  /** What the composer holds once it is picked. */
  completion: string;
}

/** The bot's commands and Slack's own one that the sandbox knows. */
export function useCommands(): OfferedCommand[] {
  const { commands, bot } = useWorkspace();
  return useMemo(() => {
    const invite = { command: "/invite", usage_hint: `@${bot.name}`, description: `Add @${bot.name} to this channel` };
    return [
      ...commands.map((command) => ({ ...command, completion: `${command.command} ` })),
      { ...invite, completion: `/invite @${bot.name}` },
    ];
  }, [commands, bot.name]);
}

/** Commands that go on from what is typed; none once the command's name is complete. */
export function matching(commands: OfferedCommand[], text: string): OfferedCommand[] {
  if (!/^\/\S*$/.test(text)) return [];
  return commands.filter(({ command }) => command.startsWith(text.toLowerCase()));
}

export const usageFor = (commands: OfferedCommand[], text: string): OfferedCommand | undefined =>
  commands.find(({ command }) => text.startsWith(`${command} `));

interface CommandListProps {
  id: string;
  commands: OfferedCommand[];
  active: number;
  onHover: (index: number) => void;
  onPick: (index: number) => void;
}

export function CommandList({ id, commands, active, onHover, onPick }: CommandListProps) {
  return (
    <div class="commands" id={id} role="listbox" aria-label="Commands">
      {commands.map(({ command, usage_hint, description }, index) => (
        <div
          key={command}
          id={`${id}-${index}`}
          ref={(line) => void (index === active && line?.scrollIntoView({ block: "nearest" }))}
          class="command"
          role="option"
          aria-selected={index === active}
          onPointerMove={() => index !== active && onHover(index)}
          // The composer keeps the focus.
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => onPick(index)}
        >
          <p>
            <strong>{command}</strong> <span class="hint">{usage_hint}</span>
          </p>
          <p class="description">{description}</p>
        </div>
      ))}
    </div>
  );
}
