"""How dates read in forms and lists: like everywhere else here, sortable, in UTC."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i"
