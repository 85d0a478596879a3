const shared = {
  viewBox: "0 0 16 16",
  width: 16,
  height: 16,
  fill: "none",
  stroke: "currentColor",
  "stroke-width": 1.5,
  "stroke-linecap": "round",
  "stroke-linejoin": "round",
  "aria-hidden": true,
} as const;

export const LockIcon = () => (
  <svg {...shared} width={13} height={13}>
    <rect x="3" y="7" width="10" height="7" rx="1.5" />
    <path d="M5 7V5a3 3 0 0 1 6 0v2" />
  </svg>
);

export const EyeIcon = () => (
  <svg {...shared} width={14} height={14}>
    <path d="M1.5 8s2.4-4.5 6.5-4.5S14.5 8 14.5 8 12.1 12.5 8 12.5 1.5 8 1.5 8z" />
    <circle cx="8" cy="8" r="2" />
  </svg>
);

export const ClipIcon = () => (
  <svg {...shared} width={18} height={18}>
    <path d="M13 7.5 8 12.5a3 3 0 0 1-4.2-4.2l5.4-5.4a2 2 0 0 1 2.8 2.8l-5.3 5.3a1 1 0 0 1-1.4-1.4L10 5" />
  </svg>
);

export const SendIcon = () => (
  <svg {...shared} width={18} height={18}>
    <path d="M2.5 3 14 8 2.5 13 4 8z" />
    <path d="M4 8h5" />
  </svg>
);

export const ReplyIcon = () => (
  <svg {...shared}>
    <path d="M2.5 3.5h11v7h-6l-3 2.5v-2.5h-2z" />
  </svg>
);

export const CloseIcon = () => (
  <svg {...shared}>
    <path d="m4 4 8 8M12 4l-8 8" />
  </svg>
);

export const DownloadIcon = () => (
  <svg {...shared}>
    <path d="M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.5h10" />
  </svg>
);
