import { styleText } from 'node:util';

/** Where a command writes. */
export interface Terminal {
  readonly isInteractive: boolean;
  readonly columns: number;
  readonly hasColors: boolean;
  write(text: string): void;
}

type Format = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Colours a text where the terminal has colours and NO_COLOR does not forbid them. */
export function style(terminal: Terminal, format: Format, text: string): string {
  return terminal.hasColors && text !== '' ? styleText(format, text) : text;
}

export function terminalOf(stream: NodeJS.WriteStream): Terminal {
  // A dumb terminal does not understand how to rewrite a line.
  const isInteractive = stream.isTTY === true && process.env.TERM !== 'dumb';
  return {
    isInteractive,
    hasColors: isInteractive && stream.hasColors(),
    get columns() {
      return stream.columns || 80;
    },
    write: (text) => {
      stream.write(text);
    },
  };
}
