"""Where the README's figures come from."""

from fieldsync import office

office.register()
