import { Button } from "./Button";
import { Checkboxes, RadioButtons } from "./Choices";
import { MultiSelect } from "./MultiSelect";
import { Overflow } from "./Overflow";
import { DatePicker, DateTimePicker, TimePicker } from "./Pickers";
import { MemberSelect, StaticSelect } from "./Select";
import type { ElementProps } from "./surface";
import { NumberInput, TextInput } from "./TextInput";

/** One element of a section, actions or input block. */
export function Elements(props: ElementProps) {
  const { element } = props;
  switch (element.type) {
    case "button":
      return <Button {...props} />;
    case "overflow":
      return <Overflow {...props} />;
    case "static_select":
      return <StaticSelect {...props} />;
    case "multi_static_select":
      return <MultiSelect {...props} />;
    case "users_select":
    case "channels_select":
    case "conversations_select":
      return <MemberSelect {...props} />;
    case "radio_buttons":
      return <RadioButtons {...props} />;
    case "checkboxes":
      return <Checkboxes {...props} />;
    case "datepicker":
      return <DatePicker {...props} />;
    case "timepicker":
      return <TimePicker {...props} />;
    case "datetimepicker":
      return <DateTimePicker {...props} />;
    case "plain_text_input":
    case "email_text_input":
    case "url_text_input":
      return <TextInput {...props} />;
    case "number_input":
      return <NumberInput {...props} />;
    case "image":
      return <img class="thumbnail" src={element.image_url} alt={element.alt_text ?? ""} />;
    default:
      return <span class="unsupported">Unsupported element: {element.type}</span>;
  }
}
